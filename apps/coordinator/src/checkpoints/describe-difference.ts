import { MOST_CHANGED_FOLDERS, type FileChange, type FileFacts, type ReadyDiff } from '#libs/contracts';
import {
  changedParts,
  ChangesByFolder,
  comparePackages,
  shownName,
  type EntryPair,
  type EntryType,
  type ListedEntry,
  type ListedPackage,
  type ListingEnd,
} from '#libs/listing';

export interface DifferenceQuery {
  /** Only files whose path has this in it. */
  readonly path: string;
  readonly offset: number;
  readonly limit: number;
}

/** Of an answer, what does not depend on who holds the two. */
export type Difference = Omit<ReadyDiff, 'state' | 'from' | 'to'>;

/** Counts all changes, and tells a page of them. Of both trees it holds no more than the page and the folders with changes. */
export async function describeDifference(
  pairs: AsyncGenerator<EntryPair, readonly [ListingEnd, ListingEnd]>,
  { path, offset, limit }: DifferenceQuery,
): Promise<Difference> {
  const files = { added: 0, removed: 0, changed: 0, same: 0 };
  const bytes = { added: 0, removed: 0, changed: 0 };
  const folders = new ChangesByFolder();
  const changes: FileChange[] = [];
  let matching = 0;
  for (;;) {
    const next = await pairs.next();
    if (next.done === true) {
      const [before, after] = next.value;
      return {
        files,
        ...{ addedBytes: bytes.added, removedBytes: bytes.removed, changedBytes: bytes.changed },
        packages: packagesOf(before.packages, after.packages),
        folders: folders
          .list(MOST_CHANGED_FOLDERS)
          .map(({ isWhole, ...folder }) => ({ ...folder, path: shownName(folder.path), whole: isWhole })),
        changes,
        matching,
        next: offset + changes.length < matching ? offset + changes.length : null,
      };
    }
    const { before, after } = next.value;
    const parts = before === null || after === null ? [] : changedParts(before, after);
    const change = before === null ? 'added' : after === null ? 'removed' : 'changed';
    if (change === 'changed' && parts.length === 0) {
      files.same += 1;
      continue;
    }
    files[change] += 1;
    const [was, is] = [before?.bytes ?? 0, after?.bytes ?? 0];
    bytes[change] += change === 'removed' ? was : is - was;
    folders.add(next.value.path, change, is - was);
    const shown = shownName(next.value.path);
    if (!shown.includes(path)) continue;
    matching += 1;
    if (matching <= offset || changes.length >= limit) continue;
    changes.push({
      ...{ path: shown, change, parts: [...parts] },
      ...{ from: factsOf(before), to: factsOf(after) },
    });
  }
}

function packagesOf(
  before: readonly ListedPackage[] | null,
  after: readonly ListedPackage[] | null,
): Difference['packages'] {
  // In front of the step that brings dpkg there are none, and that is a difference, too.
  if (before === null && after === null) return null;
  const changes = comparePackages(before ?? [], after ?? []);
  const added = changes.filter(({ from }) => from === null).length;
  const removed = changes.filter(({ to }) => to === null).length;
  const changed = changes.length - added - removed;
  const same = (after?.length ?? 0) - added - changed;
  return { counts: { added, removed, changed, same }, changes: [...changes] };
}

function factsOf(entry: ListedEntry | null): FileFacts | null {
  if (entry === null) return null;
  const { type, mode, uid, gid, bytes, detail } = entry;
  return {
    ...{ type: TYPES[type], mode, uid, gid, bytes },
    target: type === 'f' || detail === '' ? null : shownName(detail),
  };
}

const TYPES: Readonly<Record<EntryType, FileFacts['type']>> = {
  f: 'file',
  d: 'folder',
  l: 'link',
  b: 'block-device',
  c: 'character-device',
  p: 'pipe',
  s: 'socket',
};
