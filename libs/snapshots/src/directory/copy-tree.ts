import { SnapshotStoreError } from '#libs/engine';
import { execa, type Result } from 'execa';

/** Copies a folder with everything in it: modes, owners, times, links, devices, extended attributes, holes. `target` must not exist. */
export async function copyTree(source: string, target: string): Promise<void> {
  await run('cp', ['--archive', '--reflink=auto', '--one-file-system', '--no-target-directory', '--', source, target]);
}

/** Makes `target` a second name for every file below `source`; folders are made anew, with the same modes, owners and times. */
export async function linkTree(source: string, target: string): Promise<void> {
  await run('cp', ['--archive', '--link', '--no-target-directory', '--', source, target]);
}

/**
 * Copies the named entries (not what is below them) from one tree into another, replacing what is there. A replaced file is a new file: other
 * names of the old one keep what they had.
 *
 * @param paths relative to both trees, as bytes
 */
export async function copyEntries(source: string, target: string, paths: readonly Buffer[]): Promise<void> {
  if (paths.length === 0) return;
  const list = Buffer.concat(paths.flatMap((path) => [path, Buffer.from([0])]));
  const all = ['--xattrs', '--xattrs-include=*', '--numeric-owner'];
  const names = ['--null', '--no-recursion', '--verbatim-files-from', '--files-from=-'];
  const pack = ['--create', '--file=-', '--format=posix', '--sparse', `--directory=${source}`, ...all, ...names];
  const unpack = ['--extract', '--file=-', '--preserve-permissions', '--delay-directory-restore', `--directory=${target}`, ...all];
  const result = await execa('tar', pack, { input: list, encoding: 'buffer', reject: false, buffer: { stdout: false } }).pipe('tar', unpack, {
    reject: false,
  });
  const failed = [...result.pipedFrom, result].find((each) => each.exitCode !== 0);
  if (failed !== undefined) throw failure('tar', failed);
}

/** Removes trees without following links or leaving their file system. */
export async function removeTrees(...paths: readonly string[]): Promise<void> {
  await run('rm', ['--recursive', '--force', '--one-file-system', '--', ...paths]);
}

/** Removes many entries below a folder. */
export async function removeEntries(folder: string, paths: readonly Buffer[]): Promise<void> {
  if (paths.length === 0) return;
  const input = Buffer.concat(paths.flatMap((path) => [Buffer.from('./'), path, Buffer.from([0])]));
  const result = await execa('xargs', ['--null', 'rm', '--recursive', '--force', '--one-file-system', '--'], {
    cwd: folder,
    input,
    reject: false,
  });
  if (result.exitCode !== 0) throw failure('rm', result);
}

/** Every entry of a tree but its top, in the order of `find`: what it is, and what changes when anything about it does. */
export async function findEntries(folder: string): Promise<Buffer> {
  const format = '%P\\0%y %i %C@ %s\\0';
  const { stdout } = await execa('find', [folder, '-xdev', '-mindepth', '1', '-printf', format], { encoding: 'buffer' });
  return Buffer.from(stdout);
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const result = await execa(program, args, { reject: false, env: { LC_ALL: 'C' } });
  if (result.exitCode !== 0) throw failure(program, result);
}

function failure(program: string, { stderr, shortMessage }: Pick<Result, 'stderr' | 'shortMessage'>): SnapshotStoreError {
  const reason = String(stderr).trim() || String(shortMessage);
  const isFull = /No space left|Disk quota exceeded/.test(reason);
  return new SnapshotStoreError(isFull ? 'NO_SPACE' : 'FAILED', `${program} failed: ${reason.slice(0, 500)}`);
}
