import type { PackedTree } from '#libs/contracts';
import { OutputError } from '#libs/engine';
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { cutTar } from './cut-tar.js';
import { hasCode } from './error-code.js';
import { makeParent, removeParent, requireInside } from './inside.js';
import { PieceReader, type PieceFile } from './piece-reader.js';
import { PieceWriter } from './piece-writer.js';
import { runTar, type TarEnd } from './run-tar.js';
import { treeDigest } from './tree-digest.js';
import { TreeError } from './tree-error.js';
import { checkMembers, type TreeTop } from './tree-members.js';

/**
 * How a tree becomes bytes. ACLs travel as the attributes they are: `--acls` would write names of users. Old sparse headers, since those of 1.0 have the
 * number of tar's process in them; holes are found by reading, since what a file system says of its holes differs, and has been wrong.
 */
const PACK = [
  '--create',
  '--file=-',
  '--format=posix',
  '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
  '--sort=name',
  '--numeric-owner',
  '--xattrs',
  '--xattrs-include=*',
  '--sparse',
  '--sparse-version=0.0',
  '--hole-detection=raw',
  '--one-file-system',
  '--no-unquote',
];
const UNPACK = [
  '--extract',
  '--file=-',
  '--preserve-permissions',
  '--same-owner',
  '--numeric-owner',
  '--xattrs',
  '--xattrs-include=*',
  '--delay-directory-restore',
];

/**
 * Packs the file or folder `root/path` (empty path: all of `root`) into pieces, which are files of the empty folder `folder`, named by their SHA-256: modes, numeric
 * owners, times to the nanosecond, hard and symbolic links, devices, holes, extended attributes, names of any bytes. The same tree gives the same pieces. Left out:
 * sockets, and what is mounted below. Nothing may work in the tree meanwhile. Throws OutputError, or TreeError PACK_FAILED; then, and on abort, the
 * folder is for the caller to remove.
 */
export async function packTree(
  root: string,
  path: string,
  folder: string,
  signal?: AbortSignal,
): Promise<PackedTree> {
  const source = path === '' ? root : join(root, path);
  if (path !== '') await requireInside(source, root, path);
  const stats = await lstat(source);
  if (stats.isSocket()) throw new OutputError('OUTPUT_MISSING', path, `output "${path}" is only a socket`);
  const [top, member] = stats.isDirectory() ? [source, '.'] : [dirname(source), `./${basename(source)}`];
  const writer = new PieceWriter(folder);
  try {
    const treeSha256 = await withBoth(
      signal,
      async (either) => await treeDigest(source, either),
      async (either) => await pack(top, member, writer, either),
    );
    return { pieces: await writer.end(), treeSha256 };
  } finally {
    await writer.close();
  }
}

async function pack(folder: string, member: string, writer: PieceWriter, signal: AbortSignal): Promise<void> {
  const end = await runTar([...PACK, '--', member], folder, signal, {
    read: async (tar) => {
      for await (const { bytes, begins } of cutTar(tar)) await writer.write(bytes, begins);
    },
  });
  if (end.exitCode === 0) return;
  throw new TreeError(
    'PACK_FAILED',
    `tar could not pack ${folder} (status ${end.exitCode ?? 'none'}): ${lastLines(end)}`,
    'see that nothing works in the tree any more, and that there is room for the archive',
  );
}

/**
 * Unpacks what `packTree` packed, from the files of its pieces, to `root/path`, replacing what is there, with folders above it made as needed. With an empty path,
 * `root` must be an empty folder and becomes the tree, with the owner, mode and times of its top. `treeSha256` is what it must unpack to; only the pieces' own digests
 * cover times and attributes. The archive is taken for hostile; what is in it is checked before any of it has its place. Throws OutputError (OUTPUT_OUTSIDE), or
 * TreeError; then, and on abort, all is as it was before.
 */
export async function unpackTree(
  pieces: readonly PieceFile[],
  root: string,
  path: string,
  treeSha256: string,
  signal?: AbortSignal,
): Promise<void> {
  const tar = await PieceReader.open(pieces);
  try {
    const top = await checkMembers(tar, signal);
    if (path === '') await unpackRoot(tar, root, top, treeSha256, signal);
    else await unpackOutput(tar, root, path, top, treeSha256, signal);
  } finally {
    await tar.close();
  }
}

async function unpackOutput(
  tar: PieceReader,
  root: string,
  path: string,
  top: TreeTop,
  treeSha256: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const parent = await makeParent(root, path);
  // Beside its place, so that it gets there by renaming; closed to all others, since there are setuid files in trees.
  const closed = await mkdtemp(join(parent.path, '.unpack-'));
  try {
    const folder = join(closed, 'tree');
    await mkdir(folder);
    await extract(tar, folder, signal);
    const tree = top === 'folder' ? folder : await onlyEntry(folder);
    await requireDigest(tree, treeSha256, signal);
    await replace(join(parent.path, basename(path)), tree, join(closed, 'replaced'));
  } catch (error) {
    await rm(closed, { recursive: true, force: true });
    await removeParent(parent);
    throw error;
  }
  await rm(closed, { recursive: true, force: true });
}

async function unpackRoot(
  tar: PieceReader,
  root: string,
  top: TreeTop,
  treeSha256: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (top !== 'folder') throw new TreeError('TREE_DIFFERS', 'the packed tree is a single file, not a folder');
  if ((await readdir(root)).length > 0) throw new TreeError('NOT_EMPTY', `${root} is not empty`);
  const before = await stat(root);
  try {
    await extract(tar, root, signal);
    await requireDigest(root, treeSha256, signal);
  } catch (error) {
    await emptyFolder(root);
    await chown(root, before.uid, before.gid);
    await chmod(root, before.mode & 0o7777);
    throw error;
  }
}

async function extract(tar: PieceReader, folder: string, signal: AbortSignal | undefined): Promise<void> {
  const end = await runTar(UNPACK, folder, signal, { write: tar.bytes() });
  if (end.exitCode !== 0)
    throw new TreeError(
      'TREE_BROKEN',
      `tar could not unpack the tree (status ${end.exitCode ?? 'none'}): ${lastLines(end)}`,
    );
  const lost = LOST_ATTRIBUTE.exec(end.messages)?.[0];
  if (lost === undefined) return;
  throw new TreeError(
    'ATTRIBUTES_LOST',
    `the file system of ${folder} cannot keep all of the tree: ${lost}`,
    'give this agent a store with extended attributes, or build on agents that all have none',
  );
}

/** Those that show in an image; others belong to the host. */
const LOST_ATTRIBUTE = /Cannot set '(security\.capability|system\.posix_acl_\w+|user\.[^']*)'.*/;

async function requireDigest(path: string, expected: string, signal: AbortSignal | undefined): Promise<void> {
  const found = await treeDigest(path, signal);
  if (found === expected) return;
  throw new TreeError('TREE_DIFFERS', `the tree unpacked to ${found}, and was packed from ${expected}`);
}

/** Puts `from` at `place`; what was there goes to `aside`, and comes back when that fails. */
async function replace(place: string, from: string, aside: string): Promise<void> {
  const isReplacing = await renameIfThere(place, aside);
  try {
    await rename(from, place);
  } catch (error) {
    if (isReplacing) await rename(aside, place);
    throw error;
  }
}

async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

async function onlyEntry(folder: string): Promise<string> {
  const [name, ...more] = await readdir(folder);
  if (name === undefined || more.length > 0)
    throw new TreeError('TREE_DIFFERS', 'the packed tree is not one file');
  return join(folder, name);
}

async function emptyFolder(folder: string): Promise<void> {
  const prefix = Buffer.from(folder + '/');
  for (const name of await readdir(folder, { encoding: 'buffer' })) {
    await rm(Buffer.concat([prefix, name]), { recursive: true, force: true });
  }
}

function lastLines({ messages }: TarEnd): string {
  return messages.trim().slice(-1000);
}

/** Does both at once; when one fails, the other is aborted and waited for. Resolves to what the first gives. */
async function withBoth<T>(
  signal: AbortSignal | undefined,
  first: (signal: AbortSignal) => Promise<T>,
  second: (signal: AbortSignal) => Promise<void>,
): Promise<T> {
  const failed = new AbortController();
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const run = async <R>(what: (signal: AbortSignal) => Promise<R>): Promise<R> => {
    try {
      return await what(either);
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  };
  const [one, two] = await Promise.allSettled([run(first), run(second)]);
  failed.signal.throwIfAborted();
  if (one.status === 'rejected') throw one.reason;
  if (two.status === 'rejected') throw two.reason;
  return one.value;
}
