import { SnapshotStoreError, type SnapshotStoreErrorCode } from '#libs/engine';
import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { slabPipe } from '../slab-pipe.js';
import { giveBack } from '../slab-reader.js';

/** One run of `zfs`, or of what goes with it, for logs. */
export interface ZfsCall {
  readonly argv: readonly string[];
  readonly durationMs: number;
  /** `null` when it could not be started. */
  readonly exitStatus: number | null;
}

/** Runs ZFS. Everything in this repository that asks ZFS for something goes through here. */
export class ZfsCommand {
  #canGoOn: boolean | null = null;

  constructor(
    /** Told of every call when it has ended. */
    private readonly log: (call: ZfsCall) => void = () => {},
  ) {}

  /** Resolves to standard output. Throws SnapshotStoreError, its code read from the message. */
  async zfs(...args: readonly string[]): Promise<string> {
    return await this.#run('zfs', args);
  }

  /** As `zfs`, asked again for up to 10 s while the answer has one of these codes. */
  async zfsRetrying(codes: readonly SnapshotStoreErrorCode[], ...args: readonly string[]): Promise<string> {
    return await retrying(codes, () => this.#run('zfs', args));
  }

  /**
   * Whether a receive that broke off can be gone on with: OpenZFS knows the property that says where, zfs-fuse does not. It is asked once, of any dataset
   * that is there. Throws as `zfs`.
   */
  async canGoOn(dataset: string): Promise<boolean> {
    this.#canGoOn ??= await this.#knows('receive_resume_token', dataset);
    return this.#canGoOn;
  }

  async #knows(property: string, dataset: string): Promise<boolean> {
    try {
      await this.#run('zfs', ['get', '-H', property, dataset]);
      return true;
    } catch (error) {
      if (error instanceof SnapshotStoreError && error.code === 'FAILED') return false;
      throw error;
    }
  }

  /** Standard output of `zfs send`. It ends well only when zfs does, and zfs ends with it. */
  async send(...args: readonly string[]): Promise<Readable> {
    const argv = ['send', ...args];
    const { reader, writer } = await slabPipe();
    const child = spawn('zfs', argv, { stdio: ['ignore', writer, 'pipe'], env: zfsEnvironment() });
    writer.destroy();
    reader.complete = this.#end(child, argv);
    reader.once('close', () => child.kill('SIGKILL'));
    return reader;
  }

  /** Runs `zfs receive` on these bytes. Throws as `zfs`; what the stream fails with is thrown as it is, when zfs has ended. */
  async receive(stream: AsyncIterable<Buffer>, ...args: readonly string[]): Promise<void> {
    const argv = ['receive', ...args];
    const child = spawn('zfs', argv, { stdio: ['pipe', 'ignore', 'pipe'], env: zfsEnvironment() });
    const end = this.#end(child, argv);
    const input = child.stdin;
    input.on('error', () => undefined);
    try {
      for await (const piece of stream) {
        // When zfs has read enough, or has failed, the rest is read all the same: whether it is whole, only its end says.
        if (input.writable) await written(input, piece);
        giveBack(piece);
      }
    } finally {
      // It is not killed: the daemon of zfs-fuse would go on reading. Without more input it ends by itself.
      input.end();
      await end.catch(() => undefined);
    }
    await end;
  }

  /** Resolves when it has ended well; throws as `zfs`. */
  #end(child: ChildProcess & { readonly stderr: Readable }, args: readonly string[]): Promise<void> {
    const argv = ['zfs', ...args];
    const startedAt = performance.now();
    let stderr = '';
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text: string) => (stderr = (stderr + text).slice(-LONGEST_MESSAGE)));
    const end = new Promise<void>((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) =>
        reject(error.code === 'ENOENT' ? notInstalled('zfs') : error),
      );
      child.once('close', (exitStatus) => {
        this.log({ argv, durationMs: Math.round(performance.now() - startedAt), exitStatus });
        if (exitStatus === 0) resolve();
        else reject(failure(codeOf(stderr, exitStatus), argv, stderr.trim()));
      });
    });
    // Nobody may be waiting any more.
    end.catch(() => undefined);
    return end;
  }

  /** Writes out what the kernel still holds of the file system at a path. */
  async sync(path: string): Promise<void> {
    await this.#run('sync', ['--file-system', '--', path]);
  }

  async #run(program: string, args: readonly string[]): Promise<string> {
    // Loaded when first needed: it takes 70 ms, and a listing of a folder area does not need it.
    const { execa } = await import('execa');
    const startedAt = performance.now();
    const result = await execa(program, args, {
      reject: false,
      stdin: 'ignore',
      env: { LC_ALL: 'C' },
      timeout: TIMEOUT_MS,
      stripFinalNewline: false,
    });
    const argv = [program, ...args];
    const exitStatus = result.exitCode ?? null;
    this.log({ argv, durationMs: Math.round(performance.now() - startedAt), exitStatus });
    if (exitStatus === 0) return result.stdout;
    if (result.code === 'ENOENT') throw notInstalled(program);
    if (result.timedOut) throw failure('BACKEND_DOWN', argv, `no answer for ${TIMEOUT_MS / 1000} s`);
    throw failure(codeOf(result.stderr, exitStatus), argv, result.stderr.trim());
  }
}

/** Messages are read below. */
function zfsEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C' };
}

/** Resolves when it does not need the piece any more, also because it failed. */
async function written(stream: Writable, piece: Buffer): Promise<void> {
  await new Promise<void>((resolve) => stream.write(piece, () => resolve()));
}

const LONGEST_MESSAGE = 10_000;

/** Rolling back 5,000 snapshots took a minute on zfs-fuse; nothing that is well takes longer than this. */
const TIMEOUT_MS = 300_000;

/**
 * zfs-fuse lets go of an unmounted dataset a little after `zfs unmount` returns: until then destroy and mount answer "busy", and rollback "I/O
 * error". Measured there: the next try after 40 to 350 ms works. OpenZFS needs none of this.
 */
const RETRY_FOR_MS = 10_000;
const FIRST_DELAY_MS = 50;

export async function retrying<T>(
  codes: readonly SnapshotStoreErrorCode[],
  attempt: () => Promise<T>,
): Promise<T> {
  const until = performance.now() + RETRY_FOR_MS;
  for (let delayMs = FIRST_DELAY_MS; ; delayMs *= 2) {
    try {
      return await attempt();
    } catch (error) {
      const again =
        error instanceof SnapshotStoreError && codes.includes(error.code) && !GONE.test(error.message);
      if (!again || performance.now() + delayMs > until) throw error;
      await new Promise((later) => setTimeout(later, delayMs));
    }
  }
}

/** Nobody is there to answer, now or later; unlike an I/O error, which may pass. */
const GONE = /zfs-fuse daemon is running|failed to initialize|Connection refused|cannot open '\/dev\/zfs'/i;

/** Messages of OpenZFS and zfs-fuse; the order matters, a missing origin also "does not exist". */
const MESSAGES: readonly (readonly [RegExp, SnapshotStoreErrorCode])[] = [
  [GONE, 'BACKEND_DOWN'],
  [
    /more recent snapshots (or bookmarks )?exist|dependent clones|is cloned|has children/,
    'FOREIGN_SNAPSHOTS',
  ],
  [/does not exist|could not find any snapshots|no such pool/, 'NOT_FOUND'],
  [/already exists/, 'EXISTS'],
  [/busy/, 'BUSY'],
  // The last one is what zfs-fuse says, without a reason; OpenZFS adds one.
  [
    /out of space|No space left|quota exceeded|failed to create mountpoint$|greater than available space/im,
    'NO_SPACE',
  ],
  [/I\/O error|I\/O is currently suspended/, 'BACKEND_DOWN'],
];

/** What a failed call's standard error and exit status mean. */
export function codeOf(stderr: string, exitStatus: number | null): SnapshotStoreErrorCode {
  // A daemon that dies in the middle of a call takes the client down with SIGABRT.
  if (exitStatus === null || exitStatus === 134) return 'BACKEND_DOWN';
  return MESSAGES.find(([pattern]) => pattern.test(stderr))?.[1] ?? 'FAILED';
}

function failure(code: SnapshotStoreErrorCode, argv: readonly string[], reason: string): SnapshotStoreError {
  const message = `"${argv.join(' ')}" failed: ${reason === '' ? 'it said nothing' : reason}`;
  const hint =
    code === 'BACKEND_DOWN'
      ? 'The pool, or the daemon that serves it, does not answer: look at zpool status. Checkpoints are kept.'
      : null;
  return new SnapshotStoreError(code, message, hint);
}

function notInstalled(program: string): SnapshotStoreError {
  return new SnapshotStoreError(
    'BACKEND_DOWN',
    `a ZFS dataset was named as the build area, but there is no ${program} on this machine`,
    'Install zfsutils-linux or zfs-fuse, or name a folder as the build area.',
  );
}
