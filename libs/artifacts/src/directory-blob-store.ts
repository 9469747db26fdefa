import type { Sha256, UploadId } from '#libs/contracts';
import { newId } from '#libs/contracts';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { BlobError, wrongOffset } from './blob-error.js';
import {
  BlobStore,
  parseSha256,
  parseUploadId,
  resolveRange,
  type ByteRange,
  type PendingUpload,
  type StoredBlob,
} from './blob-store.js';
import { hasCode } from './error-code.js';
import { hashRest } from './hash-file.js';
import { makePrivateFolder, syncFolder } from './private-folder.js';
import { RunningHashes } from './running-hashes.js';
import { Takeover } from './takeover.js';

const { O_RDONLY, O_RDWR, O_CREAT, O_NOFOLLOW } = constants;

/**
 * Blobs as files: `blobs/ab/abcd…`, uploads on their way in `uploads/u-…`; one is renamed to the other. The folders are made as needed, and closed to all
 * but their owner. Several processes on one machine may use the same folder.
 */
export class DirectoryBlobStore extends BlobStore {
  override readonly description: string;
  private readonly hashes = new RunningHashes();
  private readonly appends = new Takeover();

  private constructor(private readonly folder: string) {
    super();
    this.description = `folder ${folder}`;
  }

  /** Throws BlobError UNUSABLE where the folder, or one in it, is somebody else's or a link. */
  static async open(folder: string): Promise<DirectoryBlobStore> {
    for (const path of [folder, join(folder, 'blobs'), join(folder, 'uploads')])
      await makePrivateFolder(path);
    return new DirectoryBlobStore(folder);
  }

  override async size(sha256: string): Promise<number | null> {
    return await sizeOf(this.blobPath(parseSha256(sha256)));
  }

  override async open(sha256: string, range: ByteRange = {}): Promise<Readable> {
    const file = await openIfThere(this.blobPath(parseSha256(sha256)), O_RDONLY);
    if (file === null) throw new BlobError('NOT_FOUND', `there is no blob ${sha256}`);
    try {
      const { size } = await file.stat();
      const { start, end } = resolveRange(range, size);
      if (size > 0) return file.createReadStream({ start, end });
      await file.close();
      return Readable.from([]);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  override async remove(sha256: string): Promise<void> {
    await rm(this.blobPath(parseSha256(sha256)), { force: true });
  }

  override async *list(): AsyncGenerator<StoredBlob> {
    for (const shelf of await readdir(join(this.folder, 'blobs'))) {
      for (const name of await readdir(join(this.folder, 'blobs', shelf))) {
        const sha256 = parseSha256(name);
        const bytes = await this.size(sha256);
        if (bytes !== null) yield { sha256, bytes };
      }
    }
  }

  override async *listUploads(): AsyncGenerator<PendingUpload> {
    for (const name of await readdir(join(this.folder, 'uploads'))) {
      const upload = parseUploadId(name);
      const bytes = await sizeOf(this.uploadPath(upload));
      if (bytes !== null) yield { upload, bytes };
    }
  }

  override async resume(upload: string): Promise<number> {
    return (await sizeOf(this.uploadPath(parseUploadId(upload)))) ?? 0;
  }

  override async append(name: string, offset: number, bytes: Readable | Uint8Array): Promise<number> {
    const upload = parseUploadId(name);
    return await this.appends.run(upload, bytes, async (source) => {
      const file = await open(this.uploadPath(upload), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
      try {
        const { size } = await file.stat();
        if (offset !== size) throw wrongOffset(`upload ${upload}`, size);
        return await this.appendTo(file, upload, offset, source);
      } finally {
        await file.close();
      }
    });
  }

  private async appendTo(
    file: FileHandle,
    upload: UploadId,
    offset: number,
    source: AsyncIterable<Uint8Array>,
  ): Promise<number> {
    const hash = await this.hashes.take(upload, file);
    let at = offset;
    for await (const chunk of source) {
      await writeAll(file, chunk, at);
      hash?.update(chunk);
      at += chunk.length;
    }
    // After a stream that broke off there is none: the bytes are read again at the end.
    if (hash !== null) await this.hashes.keep(upload, file, hash);
    return at;
  }

  override async commit(
    name: string,
    { sha256: digest, bytes }: { readonly sha256: string; readonly bytes: number },
  ): Promise<void> {
    const [upload, sha256] = [parseUploadId(name), parseSha256(digest)];
    await this.appends.run(upload, new Uint8Array(), async () => {
      const file = await openIfThere(this.uploadPath(upload), O_RDWR);
      if (file === null) {
        if ((await this.size(sha256)) === bytes) return;
        throw new BlobError('NOT_FOUND', `there is no upload ${upload}, and no blob ${sha256}`);
      }
      try {
        await this.requireDigest(file, upload, sha256, bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await this.place(upload, sha256);
    });
  }

  private async requireDigest(
    file: FileHandle,
    upload: UploadId,
    sha256: Sha256,
    bytes: number,
  ): Promise<void> {
    const { size } = await file.stat();
    if (size < bytes) throw wrongOffset(`upload ${upload}`, size);
    const running = await this.hashes.take(upload, file);
    const found =
      size > bytes
        ? null
        : running === null
          ? (await hashRest(file, createHash('sha256'), 0)).sha256
          : running.digest('hex');
    if (found === sha256) return;
    await rm(this.uploadPath(upload), { force: true });
    const what = found === null ? `${size} bytes, not ${bytes}` : `${found}, not ${sha256}`;
    throw new BlobError('DIGEST_MISMATCH', `upload ${upload} is ${what}; it is removed`);
  }

  private async place(upload: UploadId, sha256: Sha256): Promise<void> {
    const blobs = join(this.folder, 'blobs');
    const shelf = join(blobs, sha256.slice(0, 2));
    if (await makePrivateFolder(shelf)) await syncFolder(blobs);
    try {
      await rename(this.uploadPath(upload), this.blobPath(sha256));
    } catch (error) {
      // Another process committed the same upload in between.
      if (!hasCode(error, 'ENOENT') || !(await this.has(sha256))) throw error;
    }
    await syncFolder(shelf);
  }

  override async abandon(name: string): Promise<void> {
    const upload = parseUploadId(name);
    await this.appends.run(upload, new Uint8Array(), async () => {
      this.hashes.drop(upload);
      await rm(this.uploadPath(upload), { force: true });
    });
  }

  override async put(bytes: Uint8Array): Promise<Sha256> {
    const sha256 = parseSha256(createHash('sha256').update(bytes).digest('hex'));
    if ((await this.size(sha256)) === bytes.length) return sha256;
    const upload = newId('u');
    await this.append(upload, 0, bytes);
    await this.commit(upload, { sha256, bytes: bytes.length });
    return sha256;
  }

  private blobPath(sha256: Sha256): string {
    return join(this.folder, 'blobs', sha256.slice(0, 2), sha256);
  }

  private uploadPath(upload: UploadId): string {
    return join(this.folder, 'uploads', upload);
  }
}

async function openIfThere(path: string, flags: number): Promise<FileHandle | null> {
  try {
    return await open(path, flags | O_NOFOLLOW);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

async function sizeOf(path: string): Promise<number | null> {
  const file = await openIfThere(path, O_RDONLY);
  if (file === null) return null;
  try {
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}
