import { DIGEST_TRAILER, MAX_PREFACE_BYTES, Preface } from '#libs/contracts';
import { createHash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { TransferError } from './transfer-error.js';

/**
 * What another agent sends, on its way to the store: passes on what is behind the preface, and ends with an error unless the digest behind it is that of what
 * came. So a store that reads it to its end has had all of it, and nothing else.
 */
export class IncomingCheckpoint extends Transform {
  /** Rejects when it never comes. */
  readonly preface: Promise<Preface>;
  readonly #hash = createHash('sha256');
  #head: Buffer | null = Buffer.alloc(0);
  #bytes = 0;
  #settle!: { resolve: (preface: Preface) => void; reject: (error: Error) => void };

  constructor(
    private readonly maxBytes: number,
    /** Of the message, when it has ended. */
    private readonly trailers: () => Readonly<Record<string, string | undefined>>,
  ) {
    super({ highWaterMark: 1024 * 1024 });
    this.preface = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.preface.catch(() => undefined);
    // It may end before the store has begun to read, who then learns it all the same.
    this.on('error', (error) => this.#settle.reject(error));
    // Nothing is left to be waited for, whatever the reason.
    this.once('close', () =>
      this.#settle.reject(new TransferError('the transfer broke off at its beginning')),
    );
  }

  /** So far, the preface included. */
  get bytes(): number {
    return this.#bytes;
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.#bytes += chunk.length;
    this.#hash.update(chunk);
    if (this.#bytes > this.maxBytes) {
      done(new TransferError(`more than the ${this.maxBytes} bytes came that there may be`));
      return;
    }
    try {
      done(null, this.#head === null ? chunk : this.#behindPreface(Buffer.concat([this.#head, chunk])));
    } catch (error) {
      done(error as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    const [found, said] = [this.#hash.digest('hex'), this.trailers()[DIGEST_TRAILER]];
    if (this.#head !== null) done(new TransferError('nothing came'));
    else if (said === found) done();
    else
      done(
        new TransferError(
          `what came has the digest ${found}, and was sent with ${said ?? 'none: it is cut'}`,
        ),
      );
  }

  #behindPreface(head: Buffer): Buffer {
    this.#head = head;
    if (head.length < 4) return Buffer.alloc(0);
    const length = head.readUInt32BE(0);
    if (length > MAX_PREFACE_BYTES) throw new TransferError('what came is no checkpoint');
    if (head.length < 4 + length) return Buffer.alloc(0);
    const parsed = Preface.safeParse(readJson(head.subarray(4, 4 + length).toString()));
    if (!parsed.success) throw new TransferError('what came is no checkpoint');
    this.#head = null;
    this.#settle.resolve(parsed.data);
    return head.subarray(4 + length);
  }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
