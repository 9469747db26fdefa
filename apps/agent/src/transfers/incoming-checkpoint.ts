import { DIGEST_BYTES, MAX_PREFACE_BYTES, Preface } from '#libs/contracts';
import { createHash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { TransferError } from '../blobs/transfer-error.js';

/**
 * What another agent sends, on its way to the store: passes on what is behind the preface, and ends with an error unless the digest behind it is that of what
 * came. So a store that reads it to its end has had all of it, and nothing else.
 */
export class IncomingCheckpoint extends Transform {
  /** Rejects when it never comes. */
  readonly preface: Promise<Preface>;
  readonly #hash = createHash('sha256');
  /** The newest of what came: the digest may be in it. */
  #held: Buffer = Buffer.alloc(0);
  #head: Buffer | null = Buffer.alloc(0);
  #bytes = 0;
  #settle!: { resolve: (preface: Preface) => void; reject: (error: Error) => void };

  constructor(private readonly maxBytes: number) {
    // Pieces are passed on as they came: memory that is to be used again must not be copied.
    super({ objectMode: true, highWaterMark: 2 });
    this.preface = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.preface.catch(() => undefined);
    // It may end before the store has begun to read, who then learns it all the same.
    this.on('error', (error) => this.#settle.reject(error));
    // Nothing is left to be waited for, whatever the reason.
    this.once('close', () =>
      this.#settle.reject(new TransferError('the transfer broke off at its beginning')),
    );
  }

  /** So far, with what is around the stream. */
  get bytes(): number {
    return this.#bytes;
  }

  override _transform(piece: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.#bytes += piece.length;
    if (this.#bytes > this.maxBytes) {
      done(new TransferError(`more than the ${this.maxBytes} bytes came that there may be`));
      return;
    }
    this.#give(this.#hold(piece), done);
  }

  override _flush(done: TransformCallback): void {
    const end = Math.max(0, this.#held.length - DIGEST_BYTES);
    const said = this.#held.subarray(end).toString('hex');
    this.#give(this.#held.subarray(0, end), (error) => {
      const found = this.#hash.digest('hex');
      if (error instanceof Error) done(error);
      else if (this.#head !== null) done(new TransferError('nothing came'));
      else if (said === found) done();
      else
        done(
          new TransferError(
            `what came has the digest ${found}, and ends with ${said}: it was damaged, or is cut`,
          ),
        );
    });
  }

  /** Keeps the newest bytes back, and returns what is before them. */
  #hold(piece: Buffer): Buffer {
    const before = this.#held;
    this.#held = piece;
    if (piece.length >= DIGEST_BYTES) return before;
    const both = Buffer.concat([before, piece]);
    const end = Math.max(0, both.length - DIGEST_BYTES);
    this.#held = both.subarray(end);
    return both.subarray(0, end);
  }

  #give(piece: Buffer, done: TransformCallback): void {
    this.#hash.update(piece);
    try {
      const rest = this.#head === null ? piece : this.#behindPreface(Buffer.concat([this.#head, piece]));
      if (rest.length > 0) this.push(rest);
      done();
    } catch (error) {
      done(error as Error);
    }
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
