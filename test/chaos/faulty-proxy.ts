import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** How many single writes may follow each other before others have their turn. */
const WRITES_IN_A_ROW = 64;
const STALL_POLL_MS = 10;

type Direction = 'there' | 'back';
const FLOWING = { there: false, back: false };

/** Passes TCP connections on to one endpoint, as badly as it is told to. What it is told holds for connections that are open, too. */
export class FaultyProxy {
  /** Each piece comes so much later. */
  delayMs = 0;
  /** Pieces are at most so long. */
  sliceBytes = Infinity;
  /** Nothing is passed on, and nobody is told: of what clients say, or of what comes back, or both. */
  stalled: Readonly<Record<Direction, boolean>> = FLOWING;
  /** The next connections are reset when so many bytes have come back on each: one number a connection. */
  readonly cuts: number[] = [];
  /** Of the next connections, one bit comes back wrong behind so many bytes: one number a connection. */
  readonly flips: number[] = [];
  readonly #open = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: Endpoint,
  ) {
    server.on('connection', (client) => this.#serve(client));
  }

  /** @param port 0: any that is free */
  static async open(listen: Endpoint, target: Endpoint): Promise<FaultyProxy> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(listen);
    await once(server, 'listening');
    return new FaultyProxy(server, target);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#open.size / 2;
  }

  /** Both sides of all connections are told that the other one is gone, in the middle of whatever they said. */
  reset(): void {
    for (const socket of this.#open) socket.resetAndDestroy();
  }

  /** Passes everything on again. Connections that stood still go on. */
  mend(): void {
    this.delayMs = 0;
    this.sliceBytes = Infinity;
    this.stalled = FLOWING;
    this.cuts.length = 0;
    this.flips.length = 0;
  }

  async close(): Promise<void> {
    this.mend();
    const closed = once(this.server, 'close');
    this.server.close();
    this.reset();
    await closed;
  }

  #serve(client: Socket): void {
    const target = connect({ ...this.target, allowHalfOpen: true });
    const ends = [client, target];
    for (const socket of ends) {
      this.#open.add(socket);
      socket.setNoDelay();
      socket.once('close', () => this.#open.delete(socket));
      // A reset is no news to a proxy that resets.
      socket.on('error', () => undefined);
    }
    const cut = this.cuts.shift() ?? Infinity;
    const flip = this.flips.shift() ?? Infinity;
    const reset = (): void => ends.forEach((socket) => void socket.resetAndDestroy());
    void this.#pass(client, target, { direction: 'there', cut: Infinity, flip: Infinity }).catch(reset);
    void this.#pass(target, client, { direction: 'back', cut, flip }).catch(reset);
  }

  /** Resets both at the cut. Throws when either is gone before its end. */
  async #pass(from: Socket, to: Socket, { direction, cut, flip }: Passage): Promise<void> {
    let passed = 0;
    // Else the end of what one side says would be the end of the other side's answer.
    for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (flip >= passed && flip < passed + chunk.length) chunk[flip - passed]! ^= 1;
      await this.#passOn(chunk.subarray(0, cut - passed), to, direction);
      passed += chunk.length;
      if (passed < cut) continue;
      to.resetAndDestroy();
      from.resetAndDestroy();
      return;
    }
    to.end();
  }

  async #passOn(bytes: Buffer, to: Socket, direction: Direction): Promise<void> {
    if (this.delayMs > 0) await sleep(this.delayMs);
    for (let offset = 0, writes = 1; offset < bytes.length; writes += 1) {
      while (this.stalled[direction]) await sleep(STALL_POLL_MS);
      const slice = bytes.subarray(offset, offset + this.sliceBytes);
      offset += slice.length;
      if (!to.write(slice)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
      else if (writes % WRITES_IN_A_ROW === 0) await nextTurn();
      if (to.destroyed) throw new Error('gone');
    }
  }
}

interface Passage {
  readonly direction: Direction;
  /** Behind so many bytes it is cut; a bit of the byte behind so many is flipped. */
  readonly cut: number;
  readonly flip: number;
}
