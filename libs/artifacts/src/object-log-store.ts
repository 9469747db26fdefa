import type { AttemptId } from '#libs/contracts';
import { buffer } from 'node:stream/consumers';
import { wrongOffset } from './blob-error.js';
import { parseAttemptId } from './blob-store.js';
import { LogStore } from './log-store.js';
import { S3Bucket, type S3Settings } from './s3-bucket.js';
import { chunkKey, contiguous, endOf, listChunks, removeChunks, type Chunk } from './s3-chunks.js';
import { Turns } from './turns.js';

/** Attempts whose chunks are remembered; the others are listed anew. */
const MOST_REMEMBERED = 1000;

/**
 * Chunk objects `logs/<attempt>/<offset>`, one per append, durable when it resolves. Each append costs a listing and a write, so this is for agents that
 * gather their log for a second or so, as they do. Several processes may use one bucket.
 */
export class ObjectLogStore extends LogStore {
  override readonly description: string;
  /** Every piece is an object, and a request. */
  override readonly pieceBytes = 8 * 1024 * 1024;
  private readonly turns = new Turns();
  /** All chunks but the last: that one may still be replaced by a longer one of the same call, repeated to another process. */
  private readonly settled = new Map<AttemptId, readonly Chunk[]>();

  private constructor(private readonly bucket: S3Bucket) {
    super();
    this.description = bucket.description;
  }

  /** Throws BlobError UNUSABLE when the bucket cannot be used. */
  static async open(settings: S3Settings): Promise<ObjectLogStore> {
    const bucket = new S3Bucket(settings);
    await bucket.check();
    return new ObjectLogStore(bucket);
  }

  override async append(name: string, offset: number, bytes: Uint8Array): Promise<number> {
    const attempt = parseAttemptId(name);
    return await this.turns.run(attempt, async () => {
      const length = endOf(await this.chunksOf(attempt));
      if (offset > length) throw wrongOffset(`the log of attempt ${attempt}`, length);
      const rest = bytes.subarray(length - offset);
      if (rest.length > 0) await this.bucket.put(chunkKey(logPrefix(attempt), length), rest);
      return length + rest.length;
    });
  }

  override async length(name: string): Promise<number> {
    return endOf(await this.chunksOf(parseAttemptId(name)));
  }

  override async read(name: string, offset: number, maxBytes: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    let at = offset;
    for (const chunk of await this.chunksOf(parseAttemptId(name))) {
      const end = Math.min(chunk.offset + chunk.bytes, offset + maxBytes);
      if (at < chunk.offset || at >= end) continue;
      const content = await this.bucket.get(chunk.key, {
        start: at - chunk.offset,
        end: end - 1 - chunk.offset,
      });
      if (content === null) break;
      // Not all servers keep to a range of one byte.
      pieces.push((await buffer(content)).subarray(0, end - at));
      at = end;
    }
    return Buffer.concat(pieces);
  }

  override async remove(name: string): Promise<void> {
    const attempt = parseAttemptId(name);
    await this.turns.run(attempt, async () => {
      this.settled.delete(attempt);
      await removeChunks(this.bucket, logPrefix(attempt));
    });
  }

  override async close(): Promise<void> {
    await this.turns.ended();
    this.bucket.close();
  }

  private async chunksOf(attempt: AttemptId): Promise<readonly Chunk[]> {
    const settled = this.settled.get(attempt) ?? [];
    const more = await listChunks(this.bucket, logPrefix(attempt), settled.at(-1)?.key ?? null);
    const chunks = contiguous([...settled, ...more]);
    // Nothing behind what is remembered: the log was removed, perhaps to begin again.
    if (settled.length > 0 && more.length === 0) {
      this.settled.delete(attempt);
      return await this.chunksOf(attempt);
    }
    this.remember(attempt, chunks.slice(0, -1));
    return chunks;
  }

  private remember(attempt: AttemptId, settled: readonly Chunk[]): void {
    this.settled.delete(attempt);
    if (settled.length > 0) this.settled.set(attempt, settled);
    const [oldest] = this.settled.keys();
    if (this.settled.size > MOST_REMEMBERED && oldest !== undefined) this.settled.delete(oldest);
  }
}

function logPrefix(attempt: AttemptId): string {
  return `logs/${attempt}/`;
}
