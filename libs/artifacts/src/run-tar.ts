import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

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

/** Who is at the other end: of the archive that tar writes, or of the one that it reads. */
export type TarPeer =
  | { readonly read: (tar: AsyncIterable<Buffer>) => Promise<void> }
  /** A buffer is used up when the next is asked for. */
  | { readonly write: AsyncIterable<Buffer> };

/**
 * Runs GNU tar in a folder. Resolves when it has ended, however that was; rejects when it cannot be started, the other end fails, or `signal` aborts (it is killed
 * then).
 */
export async function runTar(
  args: readonly string[],
  folder: string,
  signal: AbortSignal | undefined,
  peer: TarPeer,
): Promise<TarEnd> {
  signal?.throwIfAborted();
  const child = spawn('tar', args, { cwd: folder, env: ENVIRONMENT, stdio: ['pipe', 'pipe', 'pipe'] });
  const kill = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', kill);
  const messages = lastOf(child.stderr);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const moved = serve(child, peer, ended).catch((error: unknown) => {
    kill();
    throw error;
  });
  const [exit, move] = await Promise.allSettled([ended, moved]);
  signal?.removeEventListener('abort', kill);
  signal?.throwIfAborted();
  if (exit.status === 'rejected') throw exit.reason;
  if (move.status === 'rejected') throw move.reason;
  return { exitCode: exit.value, messages: messages() };
}

async function serve(
  { stdin, stdout }: ChildProcessWithoutNullStreams,
  peer: TarPeer,
  ended: Promise<unknown>,
): Promise<void> {
  // That tar reads no further: its exit status says why.
  stdin.on('error', () => undefined);
  if ('read' in peer) {
    stdin.end();
    await peer.read(stdout);
    return;
  }
  stdout.resume();
  // To the end also when tar does not want it: whoever reads the pieces checks them.
  for await (const bytes of peer.write) {
    if (stdin.writable) await Promise.race([written(stdin, bytes), ended]);
  }
  stdin.end();
}

async function written(stream: Writable, bytes: Buffer): Promise<void> {
  await new Promise<void>((resolve) => stream.write(bytes, () => resolve()));
}

function lastOf(stream: Readable): () => string {
  let kept = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    kept = (kept + text).slice(-KEPT_MESSAGE_BYTES);
  });
  return () => kept;
}
