export interface ChangeCounts {
  added: number;
  removed: number;
  changed: number;
  /** By how much what is there after is larger. */
  bytes: number;
}

export interface FolderChanges extends Readonly<ChangeCounts> {
  /** As in the listing; empty: the top. */
  readonly path: string;
  /** False: what is said of folders below stands in a line of its own, and is not counted here. */
  readonly isWhole: boolean;
}

interface Node {
  readonly path: string;
  /** All below, itself included. */
  readonly all: ChangeCounts;
  readonly folders: Map<string, Node>;
}

/** Where changes are, by folder. What it holds grows with the folders in which something changed. */
export class ChangesByFolder {
  readonly #top = nodeOf('');

  add(path: string, kind: 'added' | 'removed' | 'changed', bytes: number): void {
    const parts = path.split('/');
    let node = this.#top;
    count(node.all, kind, bytes);
    for (let at = 1; at < parts.length; at += 1) {
      const name = parts[at - 1] ?? '';
      let next = node.folders.get(name);
      if (next === undefined) {
        next = nodeOf(parts.slice(0, at).join('/'));
        node.folders.set(name, next);
      }
      node = next;
      count(node.all, kind, bytes);
    }
  }

  /** At most `most` folders that tell where the changes are: the one with the most of them is opened, as long as there is room for what is in it. */
  list(most: number): readonly FolderChanges[] {
    const opened = new Set<Node>();
    let shown: readonly Node[] = [this.#top];
    for (;;) {
      const largest = shown
        .filter((node) => !opened.has(node) && node.folders.size > 0)
        .filter((node) => shown.length + node.folders.size - (ownOf(node) === null ? 1 : 0) <= most)
        .toSorted((one, other) => sizeOf(other.all) - sizeOf(one.all))[0];
      if (largest === undefined) break;
      opened.add(largest);
      shown = shown.flatMap((node) =>
        node === largest ? [...(ownOf(node) === null ? [] : [node]), ...node.folders.values()] : [node],
      );
    }
    return shown
      .map((node) => ({
        path: node.path,
        ...(opened.has(node) ? (ownOf(node) ?? node.all) : node.all),
        isWhole: !opened.has(node),
      }))
      .filter((folder) => sizeOf(folder) > 0);
  }
}

function nodeOf(path: string): Node {
  return { path, all: { added: 0, removed: 0, changed: 0, bytes: 0 }, folders: new Map() };
}

function count(counts: ChangeCounts, kind: 'added' | 'removed' | 'changed', bytes: number): void {
  counts[kind] += 1;
  counts.bytes += bytes;
}

/** Of what is in the folder itself, not in one below; `null` when nothing is. */
function ownOf({ all, folders }: Node): ChangeCounts | null {
  const own = { ...all };
  for (const { all: below } of folders.values()) {
    own.added -= below.added;
    own.removed -= below.removed;
    own.changed -= below.changed;
    own.bytes -= below.bytes;
  }
  return sizeOf(own) === 0 ? null : own;
}

function sizeOf({ added, removed, changed }: Readonly<Omit<ChangeCounts, 'bytes'>>): number {
  return added + removed + changed;
}
