import { SnapshotStoreError, type SnapshotStoreErrorCode } from '#libs/engine';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** One run of `btrfs`, or of what goes with it, for logs. */
export interface BtrfsCall {
  readonly argv: readonly string[];
  readonly durationMs: number;
  /** `null` when it could not be started, or was ended by a signal. */
  readonly exitStatus: number | null;
}

/** Runs btrfs-progs. Everything in this repository that asks btrfs for something goes through here. */
export class BtrfsCommand {
  constructor(
    /** Told of every call when it has ended. */
    private readonly log: (call: BtrfsCall) => void = () => {},
    /** How long `btrfs receive` may take over a piece of its input. */
    private readonly stallMs = 300_000,
  ) {}

  /** Resolves to standard output. Throws SnapshotStoreError, its code read from the message. */
  async btrfs(...args: readonly string[]): Promise<string> {
    return await this.#run(['btrfs', ...args]);
  }

  /** Subvolumes in a tree, but not what is in those. Walks over all of it. */
  async findSubvolumes(folder: string): Promise<readonly string[]> {
    // The top of a subvolume, and nothing else on btrfs, has this inode number: BTRFS_FIRST_FREE_OBJECTID.
    const tops = ['-mindepth', '1', '-type', 'd', '-inum', '256', '-prune', '-print0'];
    const found = await this.#run(['find', folder, '-xdev', ...tops]);
    return found.split('\0').filter((path) => path !== '');
  }

  /** Removes a tree without following links or leaving its subvolume. */
  async removeTree(folder: string): Promise<void> {
    await this.#run(['rm', '--recursive', '--force', '--one-file-system', '--', folder]);
  }

  /** Standard output of `btrfs send`. It ends well only when btrfs does, and when it is closed btrfs has ended. */
  send(...args: readonly string[]): Readable {
    const { child, end } = this.#start(['btrfs', 'send', '--quiet', ...args]);
    const { stdin, stdout } = child;
    stdin.end();
    const out: Readable = new Readable({
      highWaterMark: STREAM_BUFFER_BYTES,
      read: () => {
        stdout.resume();
      },
      destroy: (error, done) => {
        child.kill('SIGKILL');
        // What it has written and nobody read would keep it from being closed.
        stdout.destroy();
        const ended = (): void => done(error);
        end.then(ended, ended);
      },
    });
    stdout.on('data', (bytes: Buffer) => {
      if (!out.push(bytes)) stdout.pause();
    });
    end.then(
      () => out.push(null),
      (error: unknown) => out.destroy(error as Error),
    );
    return out;
  }

  /**
   * Runs `btrfs receive` on these bytes: the new subvolumes are made in `folder`, and what they go on from is looked for in the subvolume `top`, which
   * has `folder` in it. Throws as `btrfs`; what `bytes` throws is thrown as it is, when btrfs has ended. A stream can make btrfs wait for ever, by
   * having it open a FIFO: it is ended then.
   */
  async receive(bytes: AsyncIterable<Buffer>, top: string, folder: string): Promise<void> {
    // The kernel kills it when this process dies: what it waits for might never come.
    const alone = ['setpriv', '--pdeathsig', 'KILL', 'unshare', '--mount', '--propagation', 'private'];
    const { child, end } = this.#start([...alone, 'sh', '-c', RECEIVE, 'sh', top, folder]);
    child.stdout.resume();
    let timer: NodeJS.Timeout | undefined;
    const startTimer = (): void => {
      timer = setTimeout(() => child.kill('SIGKILL'), this.stallMs).unref();
    };
    async function* timed(): AsyncGenerator<Buffer> {
      for await (const piece of bytes) {
        startTimer();
        yield piece;
        clearTimeout(timer);
      }
      startTimer();
    }
    end.catch(() => undefined).finally(() => clearTimeout(timer));
    // Without more input it ends by itself.
    const written = pipeline(Readable.from(timed(), { objectMode: false }), child.stdin);
    const [received, sent] = await Promise.allSettled([end, written]);
    // That btrfs reads no further is its own news.
    if (sent.status === 'rejected' && !hasStoppedReading(sent.reason)) throw sent.reason;
    if (received.status === 'rejected') throw received.reason;
  }

  async #run(argv: readonly string[]): Promise<string> {
    const { child, end } = this.#start(argv);
    child.stdin.end();
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    await end;
    return stdout;
  }

  /** `end` resolves when it has ended well. */
  #start(argv: readonly string[]): {
    readonly child: ChildProcessWithoutNullStreams;
    readonly end: Promise<void>;
  } {
    const [program = '', ...args] = argv;
    const startedAt = performance.now();
    const child = spawn(program, args, { env: { ...process.env, LC_ALL: 'C' } });
    let stderr = '';
    child.stderr
      .setEncoding('utf8')
      .on('data', (text: string) => (stderr = (stderr + text).slice(-LONGEST_MESSAGE)));
    const end = once(child, 'close').then(
      ([status]) => {
        const exitStatus = status as number | null;
        this.log({ argv, durationMs: Math.round(performance.now() - startedAt), exitStatus });
        if (exitStatus !== 0) throw failure(argv, stderr.trim());
      },
      (error: unknown) => {
        throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? notInstalled(program) : error;
      },
    );
    // Some callers look at it only later.
    end.catch(() => undefined);
    return { child, end };
  }
}

const STREAM_BUFFER_BYTES = 1024 * 1024;
const LONGEST_MESSAGE = 10_000;

/**
 * A stream makes files, also device nodes and links, and writes to them by path, as root. Where it does so is a mount that only this process has, on
 * which devices cannot be opened and links lead nowhere; and it cannot leave the folder. Its arguments are data to the shell.
 *
 * --max-errors=1 is what btrfs does unless told otherwise; this should not change.
 */
const RECEIVE = `
  mount --bind --options nodev,nosuid,noexec,nosymfollow -- "$1" "$1" &&
  exec btrfs receive --quiet --chroot -e --max-errors 1 -m "$1" -- "$2"`;

/** The order matters. */
const MESSAGES: readonly (readonly [RegExp, SnapshotStoreErrorCode])[] = [
  [/No space left on device|Disk quota exceeded/, 'NO_SPACE'],
  // The last one: nothing can be received here, whatever it is.
  [/Input\/output error|^(mount|setpriv|unshare|sh): /m, 'BACKEND_DOWN'],
  [/No such file or directory/, 'NOT_FOUND'],
  [/File exists|already exists/, 'EXISTS'],
  // The second one is what the kernel says to who wants to delete what is being sent.
  [/Device or resource busy|Could not destroy subvolume.*Operation not permitted/, 'BUSY'],
];

/** What a failed call's standard error means. */
export function codeOf(stderr: string): SnapshotStoreErrorCode {
  return MESSAGES.find(([pattern]) => pattern.test(stderr))?.[1] ?? 'FAILED';
}

function failure(argv: readonly string[], reason: string): SnapshotStoreError {
  const message = `"${argv.join(' ')}" failed: ${reason === '' ? 'it said nothing' : reason}`;
  return new SnapshotStoreError(codeOf(reason), message);
}

function notInstalled(program: string): SnapshotStoreError {
  return new SnapshotStoreError(
    'BACKEND_DOWN',
    `checkpoints were to be kept as btrfs snapshots, but there is no ${program} on this machine`,
    'Install btrfs-progs and util-linux.',
  );
}

function hasStoppedReading(error: unknown): boolean {
  return ['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes(
    (error as NodeJS.ErrnoException).code ?? '',
  );
}
