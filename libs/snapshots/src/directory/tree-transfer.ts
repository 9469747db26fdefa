import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { TREE } from '../checkpoint-records.js';
import { badStream, isCode } from '../store-errors.js';
import { copyTree, findEntries, linkInto, linkTree, removeEntries, removeTrees } from './copy-tree.js';
import { packEntries, unpackEntries } from './pack-entries.js';
import { checkMembers } from './tar-members.js';
import { findIncrement, outdatedEntries } from './tree-increment.js';
import { parseIndex, sizeOf, type TreeIndex } from './tree-index.js';
import { decodeTree, encodeTree } from './tree-stream.js';

/** A checkpoint that is here. */
export interface KeptTree {
  readonly id: string;
  /** Absolute path. Nobody writes there. */
  readonly tree: string;
}

/** The stream of a tree: what changed since the base, or all of it. It runs nothing before it is read, nor once it is destroyed. */
export async function sendTree({ id, tree }: KeptTree, base: KeptTree | null): Promise<Readable> {
  const before: TreeIndex = base === null ? new Map() : await indexOf(base.tree);
  const { sent, removed } = findIncrement(before, await indexOf(tree));
  const tar = packEntries(tree, [Buffer.from('.'), ...sent]);
  return Readable.from(encodeTree({ id, base: base?.id ?? null, removed }, tar), {
    objectMode: false,
    highWaterMark: READ_AHEAD_BYTES,
  });
}

/** About how long that stream is: the files as they are, and a head for each entry. */
export async function sizeOfTree({ tree }: KeptTree, base: KeptTree | null): Promise<number> {
  const index = await indexOf(tree);
  const { sent } = findIncrement(base === null ? new Map() : await indexOf(base.tree), index);
  const sizes = sent.map((path) => sizeOf(index.get(path.toString('latin1')) ?? ''));
  return sizes.reduce((sum, bytes) => sum + bytes + HEAD_BYTES, 0);
}

/** Of a tar member, with what fills its last block. */
const HEAD_BYTES = 1024;
const READ_AHEAD_BYTES = 256 * 1024;

/**
 * Makes `folder/tree`, which is not there yet, of what `sendTree` gave. What changed is first unpacked into a folder of its own, where there is nothing to
 * write through, and only then put over second names of the base's files. Throws BAD_STREAM, also for a stream of another checkpoint or from
 * another base, NO_SPACE and FAILED; then there is something in `folder`, and nothing was changed elsewhere.
 *
 * @param folder nobody else can enter it
 */
export async function receiveTree(
  stream: Readable,
  { id, base }: { readonly id: string; readonly base: KeptTree | null },
  folder: string,
): Promise<void> {
  const { head, tar } = await decodeTree(stream);
  if (head.id !== id || head.base !== (base?.id ?? null))
    throw badStream(
      `the stream is of checkpoint ${head.id}, from ${head.base ?? 'nothing'}; ${id} from ${base?.id ?? 'nothing'} was announced`,
    );
  const tree = join(folder, TREE);
  const arrived = base === null ? tree : join(folder, 'increment');
  await mkdir(arrived, { mode: 0o700 });
  await unpackEntries(checkMembers(tar), arrived);
  if (base === null) return;
  const outdated = outdatedEntries(await indexOf(base.tree), await indexOf(arrived), head.removed);
  await putOver(base.tree, outdated, arrived, tree);
  await removeTrees(arrived);
}

async function putOver(
  base: string,
  outdated: readonly Buffer[],
  arrived: string,
  tree: string,
): Promise<void> {
  try {
    await linkTree(base, tree);
    await removeEntries(tree, outdated);
    await linkInto(arrived, tree);
  } catch (error) {
    if (isCode(error, 'NO_SPACE')) throw error;
    // Too many links to a file, or a file system that has none: a copy is always right.
    await removeTrees(tree);
    await copyTree(base, tree);
    await removeEntries(tree, outdated);
    await copyTree(arrived, tree);
  }
}

async function indexOf(tree: string): Promise<TreeIndex> {
  return parseIndex(await findEntries(tree));
}
