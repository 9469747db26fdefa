import { SnapshotStoreError } from '#libs/engine';
import { execa, type Result } from 'execa';
import { createHash } from 'node:crypto';
import { nullTerminated } from './null-terminated.js';

/** Messages are read. */
export const ENV = { LC_ALL: 'C' };
/** A listing of ten million entries; execa stops at a tenth of that. */
const LONGEST_LISTING = 1e9;

/**
 * Copies a folder with everything in it: modes, owners, times, links, devices, extended attributes, holes. `target` must not exist, or have nothing
 * of these names but folders, which get the attributes.
 */
export async function copyTree(source: string, target: string): Promise<void> {
  const how = ['--archive', '--reflink=auto', '--one-file-system', '--no-target-directory'];
  await run('cp', [...how, '--', source, target]);
}

/** Makes `target` a second name for everything below `source` but folders. These are made anew, with attributes of no meaning. */
export async function linkTree(source: string, target: string): Promise<void> {
  await run('cp', [
    '--recursive',
    '--link',
    '--no-dereference',
    '--no-target-directory',
    '--',
    source,
    target,
  ]);
}

/** As `copyTree`, but the files in `target` are second names of those in `source`. */
export async function linkInto(source: string, target: string): Promise<void> {
  await run('cp', ['--archive', '--link', '--no-target-directory', '--', source, target]);
}

/**
 * Copies the named entries (not what is below them) from one tree into another, replacing what is there. A replaced file is a new file: other
 * names of the old one keep what they had.
 *
 * @param paths relative to both trees, as bytes
 */
export async function copyEntries(source: string, target: string, paths: readonly Buffer[]): Promise<void> {
  const names = ['--null', '--no-recursion', '--verbatim-files-from', '--files-from=-'];
  const attributes = ['--xattrs', '--xattrs-include=*', '--numeric-owner'];
  const pack = [
    '--create',
    '--file=-',
    '--format=posix',
    '--sparse',
    `--directory=${source}`,
    ...attributes,
    ...names,
  ];
  const unpack = [
    '--extract',
    '--file=-',
    '--preserve-permissions',
    '--delay-directory-restore',
    `--directory=${target}`,
    ...attributes,
  ];
  const result = await execa('tar', pack, {
    input: nullTerminated(paths),
    encoding: 'buffer',
    reject: false,
    env: ENV,
    buffer: { stdout: false },
  }).pipe('tar', unpack, { reject: false, env: ENV });
  const failed = [...result.pipedFrom, result].filter((each) => each.exitCode !== 0);
  // The one that unpacks knows the reason; the other one only that nobody listens any more.
  const last = failed.at(-1);
  if (last !== undefined) throw failure('tar', last);
}

/** Removes trees without following links or leaving their file system. */
export async function removeTrees(...paths: readonly string[]): Promise<void> {
  await run('rm', ['--recursive', '--force', '--one-file-system', '--', ...paths]);
}

/** Removes many entries below a folder, with all that is in them. */
export async function removeEntries(folder: string, paths: readonly Buffer[]): Promise<void> {
  if (paths.length === 0) return;
  const input = nullTerminated(paths.map((path) => Buffer.concat([Buffer.from('./'), path])));
  const rm = ['--null', 'rm', '--recursive', '--force', '--one-file-system', '--'];
  const result = await execa('xargs', rm, { cwd: folder, input, reject: false, env: ENV });
  if (result.exitCode !== 0) throw failure('rm', result);
}

/** Every entry of a tree but its top, in the order of `find`: what it is, and what changes when anything about it does. */
export async function findEntries(folder: string): Promise<Buffer> {
  return await listEntries(folder, '%P\\0%y %i %C@ %s\\0');
}

/** SHA-256 (hex) of what every entry of a tree looks like from outside: cheap, and another one when somebody wrote to a file, added or removed one. A second name does not change it. */
export async function sealOf(folder: string): Promise<string> {
  const format = '%P\\0%y %m %U %G %s %T@ %l\\0';
  const listing = await listEntries(folder, format);
  const fields = listing.toString('latin1').split('\0');
  const entries = fields.flatMap((path, at) => (at % 2 === 0 ? [`${path}\0${fields[at + 1] ?? ''}`] : []));
  return createHash('sha256').update(entries.toSorted().join('\0'), 'latin1').digest('hex');
}

async function listEntries(folder: string, format: string): Promise<Buffer> {
  const args = [folder, '-xdev', '-mindepth', '1', '-printf', format];
  const result = await execa('find', args, {
    encoding: 'buffer',
    reject: false,
    env: ENV,
    maxBuffer: LONGEST_LISTING,
  });
  if (result.exitCode !== 0) throw failure('find', result);
  return Buffer.from(result.stdout);
}

/** Bytes that the folder takes on disk. What vanishes meanwhile counts as far as it was seen. Gives way to whatever else wants to run. */
export async function treeUsage(folder: string): Promise<number> {
  const flags = ['--block-size=1', '--summarize', '--one-file-system'];
  const { stdout } = await execa('nice', ['-n', '19', 'du', ...flags, '--', folder], {
    reject: false,
    env: ENV,
  });
  return Number(/^(\d+)\t/.exec(stdout)?.[1] ?? 0);
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const result = await execa(program, args, { reject: false, env: ENV });
  if (result.exitCode !== 0) throw failure(program, result);
}

export function failure(
  program: string,
  { stderr, shortMessage }: Pick<Result, 'stderr' | 'shortMessage'>,
): SnapshotStoreError {
  const reason = messageOf(stderr) || String(shortMessage);
  return new SnapshotStoreError(
    isFull(reason) ? 'NO_SPACE' : 'FAILED',
    `${program} failed: ${reason.slice(0, 500)}`,
  );
}

/** Whether that is what a program says, at the end of a line, where no name of a file is. tar has words of its own for the last file that fits in part. */
export function isFull(messages: string): boolean {
  return /: (No space left on device|Disk quota exceeded|Wrote only \d+ of \d+ bytes)$/m.test(messages);
}

/** Bytes where the output was read as such. */
export function messageOf(stderr: unknown): string {
  return stderr instanceof Uint8Array ? Buffer.from(stderr).toString().trim() : String(stderr).trim();
}
