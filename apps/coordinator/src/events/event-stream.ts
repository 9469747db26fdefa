import type { Response } from 'express';
import { once } from 'node:events';

/** A client that has not read for so long is not coming back; it resumes by the last id it saw. */
const STALLED_MS = 30_000;

/** Server-sent events to one client, never more of them in memory than the client reads. */
export class EventStream {
  readonly #closed = new AbortController();

  constructor(private readonly response: Response) {
    response.on('close', () => this.#closed.abort());
    response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      // A proxy that gathers the stream would hold events back.
      'X-Accel-Buffering': 'no',
    });
    response.flushHeaders();
  }

  /** Aborted when the client is gone. */
  get signal(): AbortSignal {
    return this.#closed.signal;
  }

  async send(
    events: readonly { readonly id?: string; readonly event?: string; readonly data: unknown }[],
  ): Promise<void> {
    const text = events.map(({ id, event, data }) => {
      const head = `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}`;
      return `${head}data: ${JSON.stringify(data)}\n\n`;
    });
    await this.#write(text.join(''));
  }

  /** A comment: tells both sides that the other is there. */
  async keepAlive(): Promise<void> {
    await this.#write(':\n\n');
  }

  end(): void {
    this.response.end();
  }

  async #write(text: string): Promise<void> {
    if (this.signal.aborted || this.response.write(text)) return;
    const stalled = AbortSignal.timeout(STALLED_MS);
    try {
      await once(this.response, 'drain', { signal: AbortSignal.any([this.signal, stalled]) });
    } catch {
      this.response.destroy();
      this.#closed.abort();
    }
  }
}
