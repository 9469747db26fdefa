import { createHash } from 'node:crypto';
import { badStream } from '../store-errors.js';

/** Reads a stream in pieces of a size that is asked for, and takes its digest on the way. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #hash = createHash('sha256');
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** All bytes at hand, and at least so many; they are not taken. Throws BAD_STREAM where there are less. */
  async peek(atLeast: number): Promise<Buffer> {
    const pieces = [this.#rest];
    let length = this.#rest.length;
    while (length < atLeast) {
      const chunk = await this.#nextChunk();
      if (chunk === null) throw badStream('the stream ends too early');
      pieces.push(chunk);
      length += chunk.length;
    }
    if (pieces.length > 1) this.#rest = Buffer.concat(pieces, length);
    return this.#rest;
  }

  /** Takes the first bytes of those at hand. */
  skip(count: number): void {
    this.#hash.update(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
  }

  /** Exactly so many bytes. Throws BAD_STREAM where there are less. */
  async take(count: number): Promise<Buffer> {
    const bytes = (await this.peek(count)).subarray(0, count);
    this.skip(count);
    return bytes;
  }

  /** Whether what is left is the digest of all that was taken. */
  async endsWithDigest(): Promise<boolean> {
    const digest = this.#hash.digest();
    const left = await this.peek(digest.length);
    return left.equals(digest) && (await this.#nextChunk()) === null;
  }

  /** Never an empty one; `null` at the end. */
  async #nextChunk(): Promise<Buffer | null> {
    for (;;) {
      const next = await this.#next();
      if (next.done === true) return null;
      if (next.value.length > 0) return next.value;
    }
  }

  async #next(): Promise<IteratorResult<Buffer, unknown>> {
    try {
      return await this.#chunks.next();
    } catch (error) {
      throw badStream('the stream broke off', error);
    }
  }
}
