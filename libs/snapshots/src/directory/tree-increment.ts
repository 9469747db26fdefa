import { compareIndexes, pathBytes, typeOf, type TreeIndex } from './tree-index.js';

/** What makes one checkpoint's tree of another's, which is its base. Paths as bytes. */
export interface TreeIncrement {
  /** New or changed files, each with all its names, and all folders, which stand for their own attributes only. */
  readonly sent: readonly Buffer[];
  /** Files that are gone from folders that are not. */
  readonly removed: readonly Buffer[];
}

/**
 * Of two checkpoints of one store. Nobody writes to what is in them, so that one file in both, by inode, is the same in both. A file that was copied
 * from one to the other is sent again.
 */
export function findIncrement(base: TreeIndex, tree: TreeIndex): TreeIncrement {
  const { copied } = compareIndexes(sameness(base), sameness(tree));
  const isFolder = (path: string): boolean => path === '' || typeOf(tree.get(path)) === 'd';
  const removed = [...base.keys()].filter((path) => !tree.has(path) && isFolder(parentOf(path)));
  return {
    sent: copied,
    removed: removed.filter((path) => typeOf(base.get(path)) !== 'd').map((path) => pathBytes(path)),
  };
}

/**
 * What has to go from a copy of the base before the increment is put over it: names for which it has something else, and all that it no longer has. Each is
 * an entry of the base, whatever was said to be removed.
 *
 * @param arrived what came of the increment
 */
export function outdatedEntries(
  base: TreeIndex,
  arrived: TreeIndex,
  removed: readonly Buffer[],
): readonly Buffer[] {
  const gone = new Set(removed.map((path) => path.toString('latin1')));
  const isOutdated = (path: string, entry: string): boolean =>
    typeOf(entry) === 'd' ? typeOf(arrived.get(path)) !== 'd' : arrived.has(path) || gone.has(path);
  return [...base].filter(([path, entry]) => isOutdated(path, entry)).map(([path]) => pathBytes(path));
}

/** The time of change of a file that nobody touches is another one when it gets another name, in the next checkpoint. */
function sameness(index: TreeIndex): TreeIndex {
  return new Map([...index].map(([path, entry]) => [path, entry.split(' ', 2).join(' ')]));
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
