import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { writeTo, type Io } from './io.js';

/** Asks a person at a terminal; what is typed is not shown. */
export async function readSecret({ stdin, stderr, signal }: Io, question: string): Promise<string> {
  await writeTo(stderr, question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin as unknown as Readable, output: silent, terminal: true });
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('SIGINT', () => reject(new Error('SIGINT')));
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      lines.once('close', () => resolve(''));
      lines.question('', { signal }, resolve);
    });
  } finally {
    lines.close();
    await writeTo(stderr, '\n');
  }
}
