import { newId, type Sha256, type UploadId } from '#libs/contracts';
import { createHash } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { buffer } from 'node:stream/consumers';
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
import { S3Bucket, type S3Settings } from './s3-bucket.js';
import { chunkKey, chunkOf, contiguous, endOf, listChunks, removeChunks, type Chunk } from './s3-chunks.js';
import { Takeover } from './takeover.js';

/** What is held in memory per append and per commit. S3 wants parts of at least 5 MiB. */
const PART_BYTES = 8 * 1024 * 1024;
/** S3's limit is 10,000. */
const MOST_PARTS = 9000;

/**
 * Blobs as objects: `blobs/ab/abcd…`. An upload is a folder of chunk objects, `uploads/u-…/<offset>`, so that all state is in the bucket: it outlives this
 * process, and any process can go on with it. `commit` reads the chunks back, hashes what the bucket really has, and writes it on as one object,
 * which a multipart upload lets appear only after its digest was right. So the bytes of an upload pass here three times; parts of a
 * multipart upload from the start would pass once, but small appends and a restart would then need state beside the bucket. A chunk that broke off is
 * dropped up to the last multiple of 8 MiB.
 */
export class S3BlobStore extends BlobStore {
  override readonly description: string;
  private readonly appends = new Takeover();

  private constructor(private readonly bucket: S3Bucket) {
    super();
    this.description = bucket.description;
  }

  /** Throws BlobError UNUSABLE when the bucket cannot be used. */
  static async open(settings: S3Settings): Promise<S3BlobStore> {
    const bucket = new S3Bucket(settings);
    await bucket.check();
    return new S3BlobStore(bucket);
  }

  override async size(sha256: string): Promise<number | null> {
    return await this.bucket.size(blobKey(parseSha256(sha256)));
  }

  override async open(sha256: string, range: ByteRange = {}): Promise<Readable> {
    const key = blobKey(parseSha256(sha256));
    const size = await this.bucket.size(key);
    if (size === null) throw notFound(sha256);
    const wanted = resolveRange(range, size);
    if (size === 0) return Readable.from([]);
    return (await this.bucket.get(key, wanted)) ?? fail(notFound(sha256));
  }

  override async remove(sha256: string): Promise<void> {
    await this.bucket.remove(blobKey(parseSha256(sha256)));
  }

  override async *list(): AsyncGenerator<StoredBlob> {
    for await (const { key, bytes } of this.bucket.list('blobs/')) {
      yield { sha256: parseSha256(key.slice('blobs/ab/'.length)), bytes };
    }
  }

  override async *listUploads(): AsyncGenerator<PendingUpload> {
    let upload: UploadId | null = null;
    let bytes = 0;
    // Sorted by key: the chunks of one upload come together and in order.
    for await (const object of this.bucket.list('uploads/')) {
      const next: UploadId = parseUploadId(object.key.split('/')[1] ?? '');
      if (upload !== null && next !== upload) yield { upload, bytes };
      if (next !== upload) bytes = 0;
      const chunk = chunkOf(object);
      if (chunk.offset === bytes) bytes += chunk.bytes;
      upload = next;
    }
    if (upload !== null) yield { upload, bytes };
  }

  override async resume(upload: string): Promise<number> {
    return endOf(await this.chunksOf(parseUploadId(upload)));
  }

  override async append(name: string, offset: number, bytes: Readable | Uint8Array): Promise<number> {
    const upload = parseUploadId(name);
    return await this.appends.run(upload, bytes, async (source) => {
      const present = endOf(await this.chunksOf(upload));
      if (offset !== present) throw wrongOffset(`upload ${upload}`, present);
      let at = offset;
      for await (const piece of inPieces(source, PART_BYTES)) {
        await this.bucket.put(chunkKey(uploadPrefix(upload), at), piece);
        at += piece.length;
      }
      // So that an upload of nothing is one.
      if (at === 0) await this.bucket.put(chunkKey(uploadPrefix(upload), 0), new Uint8Array());
      return at;
    });
  }

  override async commit(
    name: string,
    { sha256: digest, bytes }: { readonly sha256: string; readonly bytes: number },
  ): Promise<void> {
    const [upload, sha256] = [parseUploadId(name), parseSha256(digest)];
    await this.appends.run(upload, new Uint8Array(), async () => {
      const chunks = await this.chunksOf(upload);
      const size = endOf(chunks);
      if (chunks.length === 0) {
        if ((await this.size(sha256)) === bytes) return;
        throw new BlobError('NOT_FOUND', `there is no upload ${upload}, and no blob ${sha256}`);
      }
      if (size < bytes) throw wrongOffset(`upload ${upload}`, size);
      try {
        if (size > bytes) throw mismatch(upload, `${size} bytes, not ${bytes}`);
        await this.join(upload, chunks, sha256);
      } catch (error) {
        if (error instanceof BlobError && error.code === 'DIGEST_MISMATCH') await this.drop(upload);
        throw error;
      }
      await this.drop(upload);
    });
  }

  /** Makes the blob of the chunks; checks only, where there is such a blob. */
  private async join(upload: UploadId, chunks: readonly Chunk[], sha256: Sha256): Promise<void> {
    const size = endOf(chunks);
    const verified = inPieces(
      this.verifiedBytes(upload, chunks, sha256),
      Math.max(PART_BYTES, Math.ceil(size / MOST_PARTS)),
    );
    if ((await this.size(sha256)) === size) await pipeline(verified, new Writable({ write: ignore }));
    else if (size > PART_BYTES) await this.bucket.putParts(blobKey(sha256), verified);
    else await this.bucket.put(blobKey(sha256), await buffer(verified));
  }

  /** Throws at its end, instead of ending, when the digest is another. */
  private async *verifiedBytes(
    upload: UploadId,
    chunks: readonly Chunk[],
    sha256: Sha256,
  ): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256');
    for (const { key, bytes } of chunks) {
      if (bytes === 0) continue;
      const content = await this.bucket.get(key);
      if (content === null) throw new BlobError('NOT_FOUND', `a chunk of upload ${upload} is gone: ${key}`);
      for await (const piece of content as AsyncIterable<Uint8Array>) {
        hash.update(piece);
        yield piece;
      }
    }
    const found = hash.digest('hex');
    if (found !== sha256) throw mismatch(upload, `${found}, not ${sha256}`);
  }

  override async abandon(name: string): Promise<void> {
    const upload = parseUploadId(name);
    await this.appends.run(upload, new Uint8Array(), async () => await this.drop(upload));
  }

  override async put(bytes: Uint8Array): Promise<Sha256> {
    const sha256 = parseSha256(createHash('sha256').update(bytes).digest('hex'));
    if ((await this.size(sha256)) === bytes.length) return sha256;
    if (bytes.length <= PART_BYTES) {
      await this.bucket.put(blobKey(sha256), bytes);
      return sha256;
    }
    const upload = newId('u');
    await this.append(upload, 0, bytes);
    await this.commit(upload, { sha256, bytes: bytes.length });
    return sha256;
  }

  override async close(): Promise<void> {
    this.bucket.close();
    await Promise.resolve();
  }

  private async chunksOf(upload: UploadId): Promise<readonly Chunk[]> {
    return contiguous(await listChunks(this.bucket, uploadPrefix(upload)));
  }

  private async drop(upload: UploadId): Promise<void> {
    await removeChunks(this.bucket, uploadPrefix(upload));
  }
}

/** Gathers what comes into pieces of at least `bytes`, the last one smaller. */
async function* inPieces(source: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Buffer> {
  let gathered: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of source) {
    gathered.push(chunk);
    length += chunk.length;
    if (length < bytes) continue;
    yield Buffer.concat(gathered);
    gathered = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(gathered);
}

function blobKey(sha256: Sha256): string {
  return `blobs/${sha256.slice(0, 2)}/${sha256}`;
}

function uploadPrefix(upload: UploadId): string {
  return `uploads/${upload}/`;
}

function ignore(_: unknown, __: unknown, done: () => void): void {
  done();
}

function notFound(sha256: string): BlobError {
  return new BlobError('NOT_FOUND', `there is no blob ${sha256}`);
}

function mismatch(upload: UploadId, what: string): BlobError {
  return new BlobError('DIGEST_MISMATCH', `upload ${upload} is ${what}; it is removed`);
}

function fail(error: Error): never {
  throw error;
}
