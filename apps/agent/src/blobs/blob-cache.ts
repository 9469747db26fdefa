import { hashFile } from '#libs/artifacts';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, rename, rm, stat, truncate, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Download } from '#libs/http-client';
import { KeyedMutex } from '../keyed-mutex.js';
import { TransferError } from './transfer-error.js';

/** Begins the names of folders in which blobs are made. */
const INCOMING = 'incoming-';

export interface WantedBlob {
  readonly sha256: string;
  readonly bytes: number;
}

/** Downloads from an offset on; each try is one call. */
export type FetchBlob = (sha256: string, offset: number) => Promise<Download>;
/** Repeats what failed for a reason that may pass. */
export type Retry = <T>(call: () => Promise<T>) => Promise<T>;

/**
 * Inputs by digest in a folder: fetched once, going on where a download broke off, checked before they have their name. The least recently used go when they are
 * too large together; those in use stay.
 */
export class BlobCache {
  readonly #mutex = new KeyedMutex();
  readonly #inUse = new Map<string, number>();

  constructor(
    private readonly folder: string,
    private readonly limitBytes: number,
  ) {}

  /** Before anything runs: removes what an earlier process was making, and what exceeds the limit now. Half-fetched ones may be gone on with, and count. */
  async prepare(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.folder)) {
      if (name.startsWith(INCOMING)) await rm(join(this.folder, name), { recursive: true, force: true });
    }
    await this.#evict(0);
  }

  /**
   * Calls `make` with an empty folder, and takes over the files that it left there for these blobs, each named by its digest. The folder is gone then, whatever
   * happened.
   */
  async #adopt<T extends { readonly pieces: readonly WantedBlob[] }>(
    make: (folder: string) => Promise<T>,
    hold: (sha256: string) => void,
  ): Promise<T> {
    const folder = await mkdtemp(join(this.folder, INCOMING));
    try {
      const made = await make(folder);
      for (const { sha256, bytes } of made.pieces) {
        hold(sha256);
        await this.#mutex.run(sha256, async () => await this.#take(join(folder, sha256), sha256, bytes));
      }
      return made;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #take(from: string, sha256: string, bytes: number): Promise<void> {
    const path = join(this.folder, sha256);
    if (existsSync(path) && (await sizeOf(path)) === bytes) return;
    await this.#evict(bytes);
    await rename(from, path);
  }

  /** The blobs that are fetched through a use stay until it is closed. */
  use(fetch: FetchBlob, retry: Retry, signal: AbortSignal): BlobUse {
    const held: string[] = [];
    const hold = (sha256: string): void => {
      this.#inUse.set(sha256, (this.#inUse.get(sha256) ?? 0) + 1);
      held.push(sha256);
    };
    return {
      pathOf: ({ sha256 }) => join(this.folder, sha256),
      make: async (make) => await this.#adopt(make, hold),
      get: async (blob) => {
        hold(blob.sha256);
        return await this.#mutex.run(blob.sha256, async () => await this.#get(blob, fetch, retry, signal));
      },
      close: () => {
        for (const sha256 of held.splice(0)) this.#inUse.set(sha256, (this.#inUse.get(sha256) ?? 1) - 1);
      },
    };
  }

  async #get(blob: WantedBlob, fetch: FetchBlob, retry: Retry, signal: AbortSignal): Promise<string> {
    const path = join(this.folder, blob.sha256);
    if (existsSync(path) && (await sizeOf(path)) === blob.bytes) {
      await utimes(path, new Date(), new Date());
      return path;
    }
    await this.#evict(blob.bytes);
    // What an earlier process had fetched may be damaged: then all of it once more.
    for (const isLast of [false, true]) {
      const part = `${path}.part`;
      await retry(async () => {
        await this.#download(part, blob, fetch, signal);
      }).catch(async (error: unknown) => {
        if (error instanceof TransferError) await rm(part, { force: true });
        throw error;
      });
      if ((await hashFile(part, signal)).sha256 === blob.sha256) {
        await rename(part, path);
        return path;
      }
      await rm(part, { force: true });
      if (isLast) break;
    }
    throw new TransferError(`the coordinator's blob ${blob.sha256} is not what its digest says`);
  }

  async #download(part: string, blob: WantedBlob, fetch: FetchBlob, signal: AbortSignal): Promise<void> {
    if ((await sizeOf(part)) > blob.bytes) await rm(part);
    const offset = await sizeOf(part);
    if (existsSync(part) && offset === blob.bytes) return;
    const { status, body } = await fetch(blob.sha256, offset);
    if (status === 200 && offset > 0) await truncate(part, 0);
    await append(part, body, blob.bytes, signal);
  }

  async #evict(neededBytes: number): Promise<void> {
    const names = (await readdir(this.folder)).filter((name) => !name.startsWith(INCOMING));
    const entries = await Promise.all(
      names.map(async (name) => ({ name, ...(await seen(join(this.folder, name))) })),
    );
    let total = entries.reduce((sum, { bytes }) => sum + bytes, neededBytes);
    for (const { name, bytes } of entries.toSorted((a, b) => a.usedAtMs - b.usedAtMs)) {
      if (total <= this.limitBytes) return;
      if ((this.#inUse.get(name.replace(/\.part$/, '')) ?? 0) > 0) continue;
      await rm(join(this.folder, name), { force: true });
      total -= bytes;
    }
  }
}

export interface BlobUse {
  /** Calls `make` with an empty folder, and keeps the files that it leaves there for these pieces, each named by its digest. */
  readonly make: <T extends { readonly pieces: readonly WantedBlob[] }>(
    make: (folder: string) => Promise<T>,
  ) => Promise<T>;
  /** Of a blob that this use has fetched or made. */
  readonly pathOf: (blob: WantedBlob) => string;
  /** Path of the blob's file, to be read only. Throws TransferError when its bytes are not those of the digest. */
  readonly get: (blob: WantedBlob) => Promise<string>;
  readonly close: () => void;
}

async function append(path: string, body: Readable, limit: number, signal: AbortSignal): Promise<void> {
  const file = await open(path, 'a', 0o600);
  try {
    let { size } = await file.stat();
    for await (const chunk of body) {
      signal.throwIfAborted();
      const bytes = chunk as Buffer;
      size += bytes.length;
      if (size > limit) throw new TransferError('the coordinator sends more than the blob has');
      await file.write(bytes);
    }
  } finally {
    body.destroy();
    await file.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await seen(path)).bytes;
}

async function seen(path: string): Promise<{ readonly bytes: number; readonly usedAtMs: number }> {
  return await stat(path).then(
    ({ size, mtimeMs }) => ({ bytes: size, usedAtMs: mtimeMs }),
    () => ({ bytes: 0, usedAtMs: 0 }),
  );
}
