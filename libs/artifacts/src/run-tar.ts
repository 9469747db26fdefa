import { spawn } from 'node:child_process';
import type { Readable, Transform, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';

/** Of what tar says, the end: on some file systems it says something for every file. */
const KEPT_MESSAGE_BYTES = 64 * 1024;

/** Fixed: TAR_OPTIONS and POSIXLY_CORRECT would change what is written, a language the messages. */
const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
};

export interface TarEnd {
  readonly exitCode: number | null;
  /** The last of what it wrote to its standard error, in English. */
  readonly messages: string;
}

/**
 * Runs GNU tar in a folder, and moves what it writes through `streams` (none: it reads its archive itself). Resolves when it has ended, however that
 * was; rejects when it cannot be started, a stream breaks, or `signal` aborts (it is killed then).
 */
export async function runTar(
  args: readonly string[],
  folder: string,
  streams: readonly [Transform, Writable] | null,
  signal: AbortSignal | undefined,
): Promise<TarEnd> {
  signal?.throwIfAborted();
  const child = spawn('tar', args, {
    cwd: folder,
    env: ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
    killSignal: 'SIGKILL',
  });
  const messages = lastOf(child.stderr);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const moved = streams === null ? drain(child.stdout) : pipeline(child.stdout, ...streams);
  const [exit, move] = await Promise.allSettled([ended, moved]);
  signal?.throwIfAborted();
  if (exit.status === 'rejected') throw exit.reason;
  if (move.status === 'rejected') throw move.reason;
  return { exitCode: exit.value, messages: messages() };
}

async function drain(stream: Readable): Promise<void> {
  stream.resume();
  await finished(stream);
}

function lastOf(stream: Readable): () => string {
  let kept = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    kept = (kept + text).slice(-KEPT_MESSAGE_BYTES);
  });
  return () => kept;
}
