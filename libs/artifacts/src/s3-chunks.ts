import type { S3Bucket, StoredObject } from './s3-bucket.js';

/** Bytes that were appended in one go, as an object of their own: S3 cannot add to one. */
export interface Chunk {
  readonly key: string;
  readonly offset: number;
  readonly bytes: number;
}

/** Wide enough for 10 PB; so wide that keys sort as numbers do. */
const DIGITS = 16;

export function chunkKey(prefix: string, offset: number): string {
  return `${prefix}${String(offset).padStart(DIGITS, '0')}`;
}

export function chunkOf({ key, bytes }: StoredObject): Chunk {
  return { key, bytes, offset: Number(key.slice(-DIGITS)) };
}

/**
 * The chunks that make a whole from the beginning on. A chunk that begins inside another one is left over from a call that was repeated; one behind a gap has
 * lost what was in front of it.
 */
export function contiguous(chunks: readonly Chunk[]): readonly Chunk[] {
  const whole: Chunk[] = [];
  for (const chunk of chunks) if (chunk.offset === endOf(whole)) whole.push(chunk);
  return whole;
}

/** Length of a whole. */
export function endOf(chunks: readonly Chunk[]): number {
  const last = chunks.at(-1);
  return last === undefined ? 0 : last.offset + last.bytes;
}

export async function listChunks(
  bucket: S3Bucket,
  prefix: string,
  after: string | null = null,
): Promise<readonly Chunk[]> {
  const chunks: Chunk[] = [];
  for await (const object of bucket.list(prefix, after)) chunks.push(chunkOf(object));
  return chunks;
}

export async function removeChunks(bucket: S3Bucket, prefix: string): Promise<void> {
  for (const { key } of await listChunks(bucket, prefix)) await bucket.remove(key);
}
