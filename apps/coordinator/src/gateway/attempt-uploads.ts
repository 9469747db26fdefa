import { Injectable } from '@nestjs/common';
import type { Readable } from 'node:stream';
import {
  FarmError,
  MAX_CHUNK_BYTES,
  type Sha256,
  type StartUpload,
  type UploadId,
  type UploadState,
} from '#libs/contracts';
import { BlobError, BlobStore } from '#libs/artifacts';
import {
  findBlob,
  findBuild,
  findUpload,
  insertBlob,
  isOutputPiece,
  openAttempts,
  removeUpload,
  startUpload,
  type AgentRow,
  type BlobRow,
} from '#libs/store';
import { requireOwnAttempt, type AttemptClaim } from '../attempts/own-attempt.js';
import { AskFingerprints } from '../fingerprints/ask-fingerprints.js';
import { limitBytes } from './limit-bytes.js';
import { Clock, Store } from '../store.js';

/** Bytes that attempts hand in, by digest, resumable at any byte. Only a running attempt may, under its own epoch. */
@Injectable()
export class AttemptUploads {
  constructor(
    private readonly store: Store,
    private readonly blobs: BlobStore,
    private readonly asks: AskFingerprints,
    private readonly clock: Clock,
  ) {}

  async start(claim: AttemptClaim, { sha256, bytes }: StartUpload): Promise<UploadState> {
    const { db } = this.store;
    await requireOwnAttempt(db, claim);
    if (await this.#isThere(sha256)) return { upload: null, offset: bytes, committed: true };
    const upload = await startUpload(db, { attempt: claim.attempt, sha256, bytes }, this.clock.now());
    return { upload: upload.id, offset: await this.blobs.resume(upload.id), committed: false };
  }

  async append(claim: AttemptClaim, id: UploadId, offset: number, bytes: Readable): Promise<UploadState> {
    const upload = await this.#own(claim, id);
    const most = Math.min(MAX_CHUNK_BYTES, upload.bytes - offset);
    const after = await this.blobs.append(id, offset, limitBytes(bytes, most, `upload ${id}`));
    return { upload: id, offset: after, committed: false };
  }

  async commit(claim: AttemptClaim, id: UploadId): Promise<UploadState> {
    const { sha256, bytes } = await this.#own(claim, id);
    try {
      // Of an empty file nothing was ever sent.
      if (bytes === 0) await this.blobs.append(id, 0, new Uint8Array());
      await this.blobs.commit(id, { sha256, bytes });
    } catch (error) {
      // Its bytes are gone; any other trouble may pass, and the upload goes on.
      if (error instanceof BlobError && error.code === 'DIGEST_MISMATCH')
        await removeUpload(this.store.db, id);
      throw error;
    }
    await insertBlob(this.store.db, { sha256, bytes }, this.clock.now());
    await removeUpload(this.store.db, id);
    return { upload: null, offset: bytes, committed: true };
  }

  /** A blob that a running attempt of the agent has as input, or a fingerprint that it asks for. Throws NOT_FOUND for all others: a blob's digest opens nothing. */
  async inputOf(agent: AgentRow, sha256: Sha256): Promise<BlobRow> {
    const blob = await findBlob(this.store.db, sha256);
    if (blob !== null && ((await this.#isInput(agent, sha256)) || (await this.asks.isInput(agent, sha256))))
      return blob;
    throw new FarmError('NOT_FOUND', `nothing that agent ${agent.name} runs has the input ${sha256}`);
  }

  async #isInput(agent: AgentRow, sha256: Sha256): Promise<boolean> {
    const { db } = this.store;
    const running = (await openAttempts(db, agent.id)).filter(({ state }) => state === 'running');
    for (const id of new Set(running.map(({ build_id }) => build_id))) {
      const files = (await findBuild(db, id))?.files ?? [];
      if (files.some((file) => file.sha256 === sha256)) return true;
      if (await isOutputPiece(db, id, sha256)) return true;
    }
    return false;
  }

  /** The record may know a blob that a person has deleted from the store. */
  async #isThere(sha256: Sha256): Promise<boolean> {
    return (await findBlob(this.store.db, sha256)) !== null && (await this.blobs.has(sha256));
  }

  async #own(claim: AttemptClaim, id: UploadId) {
    const attempt = await requireOwnAttempt(this.store.db, claim);
    const upload = await findUpload(this.store.db, id);
    if (upload !== null && upload.attemptId === attempt.id) return upload;
    throw new FarmError('NOT_FOUND', `attempt ${attempt.id} has no upload ${id}`, 'Start it again.');
  }
}
