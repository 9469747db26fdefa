import { SnapshotStoreError } from '#libs/engine';
import { execa } from 'execa';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isCode } from '../store-errors.js';
import { ENV, failure, isFull, messageOf } from './copy-tree.js';
import { nullTerminated } from './null-terminated.js';

/** 64 KiB at a time, as much as a pipe takes: a third faster than the ten that tar is used to. */
const BLOCKING = '--blocking-factor=128';
const ATTRIBUTES = ['--xattrs', '--xattrs-include=*', '--numeric-owner'];
/** Old sparse headers: newer ones hide the name of a member. That a file got another name meanwhile is no change of it. */
const PACK = [
  '--create',
  BLOCKING,
  '--file=-',
  '--format=posix',
  '--pax-option=delete=atime,delete=ctime',
  '--sparse',
  '--sparse-version=0.0',
  '--warning=no-file-changed',
];
/** Behind the folder they are in. */
const NAMES = ['--null', '--no-recursion', '--verbatim-files-from', '--files-from=-'];
const UNPACK = [
  '--extract',
  BLOCKING,
  '--file=-',
  '--preserve-permissions',
  '--same-owner',
  '--delay-directory-restore',
  '--warning=no-timestamp',
];

/**
 * The named entries (not what is below them) of a tree that nobody changes, as a tar; the top is `.`. Nothing runs before it is read, nor once it was
 * read to its end or returned from. Throws FAILED when the tar is not whole.
 *
 * @param paths relative to the tree, as bytes
 */
export async function* packEntries(tree: string, paths: readonly Buffer[]): AsyncGenerator<Buffer> {
  const tar = execa('tar', [...PACK, ...ATTRIBUTES, `--directory=${tree}`, ...NAMES], {
    input: nullTerminated(paths),
    encoding: 'buffer',
    reject: false,
    env: ENV,
    buffer: { stdout: false },
  });
  try {
    yield* tar.stdout;
    const result = await tar;
    // A checkpoint taken meanwhile gives files another name, which tar takes for a change, without a word.
    const isWhole = result.exitCode === 0 || (result.exitCode === 1 && messageOf(result.stderr) === '');
    if (!isWhole) throw failure('tar', result);
  } finally {
    tar.kill('SIGKILL');
    await tar;
  }
}

/**
 * Unpacks into an empty folder that nobody else can enter. `tar` has been checked on its way here: what it throws is thrown on. Throws NO_SPACE,
 * and FAILED also where the file system cannot keep the attributes; then part of the tree is there.
 */
export async function unpackEntries(tar: AsyncIterable<Buffer>, folder: string): Promise<void> {
  const unpack = execa('tar', [...UNPACK, ...ATTRIBUTES, `--directory=${folder}`], {
    stdin: 'pipe',
    stdout: 'ignore',
    reject: false,
    env: ENV,
  });
  const sink = feeding(unpack.stdin);
  unpack.stderr.on('data', (text: Buffer) => {
    if (!isFull(text.toString())) return;
    // It would try each of the files that are still to come.
    unpack.kill();
    sink.destroy();
  });
  const [fed] = await Promise.allSettled([pipeline(tar, sink)]);
  const result = await unpack;
  const fault: unknown = fed.status === 'rejected' ? fed.reason : null;
  // tar complains, too, of what was then not given to it.
  if (isCode(fault, 'BAD_STREAM') && !isFull(result.stderr)) throw fault;
  if (result.exitCode !== 0) throw failure('tar', result);
  if (fed.status === 'rejected') throw fed.reason;
  refuseLoss(result.stderr, folder);
}

/**
 * Takes all that comes, also when the program has had enough: tar does not wait for what is behind the end of an archive, and only at its end does a
 * stream show whether it was whole. What the program has to say is in its status.
 */
function feeding(input: Writable): Writable {
  input.on('error', () => undefined);
  return new Writable({
    // A stream that is gone already may never call back.
    write: (chunk, _, done) => {
      if (input.destroyed) done();
      else input.write(chunk, () => done());
    },
    final: (done) => {
      if (input.destroyed) {
        done();
        return;
      }
      input.once('close', () => done());
      input.end();
    },
    destroy: (error, done) => {
      input.destroy();
      done(error);
    },
  });
}

/** Those that show in an image; others belong to the host. */
const LOST_ATTRIBUTE = /Cannot set '(security\.capability|system\.posix_acl_\w+|user\.[^']*)'.*/;

function refuseLoss(messages: string, folder: string): void {
  const lost = LOST_ATTRIBUTE.exec(messages)?.[0];
  if (lost === undefined) return;
  throw new SnapshotStoreError(
    'FAILED',
    `the file system of ${folder} cannot keep all of the tree: ${lost}`,
    'Give this agent a store with extended attributes.',
  );
}
