import type { Socket } from 'node:net';
import { Readable } from 'node:stream';

/** How much a piece may be. A few of them fit into a processor's own cache. */
const SLAB_BYTES = 256 * 1024;
/** Pieces that nobody has taken yet, before the socket waits. */
const READ_AHEAD = 2;

/** Where a slab goes when it is not needed any more. */
const owners = new WeakMap<ArrayBufferLike, Set<ArrayBufferLike>>();

/**
 * What a socket reads, in large pieces, and in memory that is used again where it is given back: a stream of a gigabyte would otherwise have V8 collect garbage a hundred
 * times, and take each of a TLS connection's records of 16 KB through all that is behind it.
 */
export class SlabReader extends Readable {
  /** For `net.connect` and `tls.connect`. */
  readonly onread = {
    buffer: (): Buffer => this.#room(),
    callback: (bytes: number): boolean => this.#arrived(bytes),
  };
  /** What its end waits for. It rejects when that is not the end of all. */
  complete: Promise<void> = Promise.resolve();
  readonly #free = new Set<ArrayBufferLike>();
  #slab: Buffer;
  /** What of it has been passed on, and what has come. */
  #passed = 0;
  #filled = 0;
  #flush: NodeJS.Immediate | null = null;
  #socket: Socket | null = null;

  constructor() {
    super({ objectMode: true, highWaterMark: READ_AHEAD });
    this.#slab = this.#emptySlab();
  }

  /** @param socket one that was made with `onread`; it is closed with this */
  attach<T extends Socket>(socket: T): T {
    this.#socket = socket;
    socket.once('end', () => {
      this.#pass();
      void this.complete.then(
        () => this.push(null),
        (error: unknown) => this.destroy(error as Error),
      );
    });
    socket.once('error', (error) => this.destroy(error));
    socket.once('close', () => {
      if (!socket.readableEnded) this.destroy();
    });
    return socket;
  }

  override _read(): void {
    this.#socket?.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#flush !== null) clearImmediate(this.#flush);
    this.#socket?.destroy();
    done(error);
  }

  #room(): Buffer {
    if (this.#filled === this.#slab.length) {
      this.#pass();
      this.#slab = this.#emptySlab();
      this.#passed = this.#filled = 0;
    }
    return this.#slab.subarray(this.#filled);
  }

  /** @returns whether there may be more */
  #arrived(bytes: number): boolean {
    this.#filled += bytes;
    // When all that is there has been read; a full slab is passed on when room is asked for.
    this.#flush ??= setImmediate(() => {
      this.#flush = null;
      this.#pass();
    });
    return this.readableLength < READ_AHEAD;
  }

  #pass(): void {
    if (this.#passed === this.#filled || this.destroyed) return;
    const piece = this.#slab.subarray(this.#passed, this.#filled);
    this.#passed = this.#filled;
    if (!this.push(piece)) this.#socket?.pause();
  }

  #emptySlab(): Buffer {
    const [used] = this.#free;
    if (used !== undefined) {
      this.#free.delete(used);
      return Buffer.from(used);
    }
    const slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    owners.set(slab.buffer, this.#free);
    return slab;
  }
}

/**
 * Nobody will look at the piece again, nor at those that came before it: the memory is written anew from now on. For pieces of anything else, and for parts that do not
 * reach to a slab's end, it does nothing, and they are left to the garbage collector.
 */
export function giveBack({ buffer, byteOffset, byteLength }: Buffer): void {
  if (byteOffset + byteLength === buffer.byteLength) owners.get(buffer)?.add(buffer);
}
