import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the emulator says over its monitor. See QEMU's docs/interop/qmp-spec. */
export type MonitorMessage =
  | { readonly kind: 'answer' }
  | { readonly kind: 'refusal'; readonly reason: string }
  | { readonly kind: 'event'; readonly name: string }
  /** The greeting, or nothing that we know. */
  | { readonly kind: 'other' };

/** No message that we ask for is that long. */
const LONGEST_LINE = 1024 * 1024;
const CONNECT_AGAIN_MS = 50;

/** Reads one line of the monitor. */
export function readMonitorMessage(line: string): MonitorMessage {
  const message = parseObject(line);
  if (message === null) return { kind: 'other' };
  if (typeof message['event'] === 'string') return { kind: 'event', name: message['event'] };
  if ('return' in message) return { kind: 'answer' };
  if (!('error' in message)) return { kind: 'other' };
  const error = message['error'] as { readonly desc?: unknown } | null;
  return { kind: 'refusal', reason: typeof error?.desc === 'string' ? error.desc : 'no reason given' };
}

function parseObject(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}

/** The emulator's monitor (QMP): commands one after the other, each with its answer, and events in between. */
export class QemuMonitor {
  #pending = '';
  #answered: ((message: MonitorMessage) => void) | null = null;

  private constructor(
    private readonly socket: Socket,
    private readonly onEvent: (name: string) => void,
  ) {
    socket.setEncoding('utf8').on('data', (piece: string) => this.#read(piece));
    // What was asked for then has no answer.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#answered?.({ kind: 'refusal', reason: 'the emulator has ended' }));
  }

  /** Waits for the emulator to listen there. Rejects when `signal` is aborted before. */
  static async open(
    path: string,
    onEvent: (name: string) => void,
    signal: AbortSignal,
  ): Promise<QemuMonitor> {
    for (;;) {
      signal.throwIfAborted();
      const socket = connect(path);
      try {
        await once(socket, 'connect', { signal });
        const monitor = new QemuMonitor(socket, onEvent);
        await monitor.execute('qmp_capabilities');
        return monitor;
      } catch {
        socket.destroy();
        await sleep(CONNECT_AGAIN_MS, undefined, { signal });
      }
    }
  }

  /** Throws when the emulator refuses, or ends meanwhile. Not to be called again before it has resolved. */
  async execute(command: string, options: Readonly<Record<string, string>> = {}): Promise<void> {
    const message = await new Promise<MonitorMessage>((resolve) => {
      this.#answered = resolve;
      if (this.socket.destroyed) resolve({ kind: 'refusal', reason: 'the emulator has ended' });
      else this.socket.write(`${JSON.stringify({ execute: command, arguments: options })}\n`);
    });
    this.#answered = null;
    if (message.kind === 'refusal') throw new Error(`${command}: ${message.reason}`);
  }

  close(): void {
    this.socket.destroy();
  }

  #read(piece: string): void {
    const lines = (this.#pending + piece).split('\n');
    this.#pending = (lines.pop() ?? '').slice(-LONGEST_LINE);
    for (const line of lines) {
      const message = readMonitorMessage(line);
      if (message.kind === 'event') this.onEvent(message.name);
      else if (message.kind !== 'other') this.#answered?.(message);
    }
  }
}
