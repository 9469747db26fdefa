import { Readable } from 'node:stream';

interface Turn {
  readonly stop: () => void;
  readonly ended: Promise<void>;
}

/**
 * One at a time per name, and the newest wins: whoever comes while another still waits for bytes ends that one's stream, since a client that calls again has
 * lost the connection of its first call, which this side may not notice for minutes.
 */
export class Takeover {
  private readonly turns = new Map<string, Turn>();

  /** Calls `use` once those before it have ended. */
  async run<T>(
    name: string,
    bytes: Readable | Uint8Array,
    use: (source: AsyncIterable<Uint8Array>) => Promise<T>,
  ): Promise<T> {
    const before = this.turns.get(name);
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const stop = (): void => {
      if (bytes instanceof Readable) bytes.destroy(new Error(`another request goes on with ${name}`));
    };
    // Whoever reads the stream gets its error; before anybody does, it would end this process.
    if (bytes instanceof Readable) bytes.on('error', () => undefined);
    const turn: Turn = { stop, ended };
    this.turns.set(name, turn);
    before?.stop();
    await before?.ended;
    try {
      return await use(bytes instanceof Readable ? bytes : oneChunk(bytes));
    } finally {
      if (this.turns.get(name) === turn) this.turns.delete(name);
      end();
    }
  }
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  if (bytes.length > 0) yield bytes;
}
