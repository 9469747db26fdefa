import { comparePaths, type ListedEntry } from './listed-entry.js';

/** What is at one path before and after; one of the two may be missing. */
export interface EntryPair {
  readonly path: string;
  readonly before: ListedEntry | null;
  readonly after: ListedEntry | null;
}

export type ChangedPart = 'type' | 'content' | 'target' | 'device' | 'mode' | 'owner';

/** Every path of two listings once, in their order; then what each listing's end says. Holds no more than an entry of each. */
export async function* pairEntries<End>(
  before: AsyncIterator<ListedEntry, End>,
  after: AsyncIterator<ListedEntry, End>,
): AsyncGenerator<EntryPair, readonly [End, End]> {
  try {
    let [was, is] = [await before.next(), await after.next()];
    for (;;) {
      if (was.done === true && is.done === true) return [was.value, is.value];
      const order =
        was.done === true ? 1 : is.done === true ? -1 : comparePaths(was.value.path, is.value.path);
      const one = order <= 0 && was.done !== true ? was.value : null;
      const other = order >= 0 && is.done !== true ? is.value : null;
      yield { path: (one ?? other)?.path ?? '', before: one, after: other };
      if (order <= 0) was = await before.next();
      if (order >= 0) is = await after.next();
    }
  } finally {
    // One may have failed, and the other is to let go of what it reads.
    await before.return?.();
    await after.return?.();
  }
}

/** What is not the same of two entries of one path; of different types nothing else is compared but who owns them. */
export function changedParts(before: ListedEntry, after: ListedEntry): readonly ChangedPart[] {
  const parts: ChangedPart[] = [];
  if (before.type !== after.type) parts.push('type');
  else if (before.detail !== after.detail) parts.push(DETAIL[before.type]);
  // A link's own mode is of no meaning (symlink(7)).
  if (before.type === after.type && before.type !== 'l' && before.mode !== after.mode) parts.push('mode');
  if (before.uid !== after.uid || before.gid !== after.gid) parts.push('owner');
  return parts;
}

const DETAIL: Readonly<Record<ListedEntry['type'], ChangedPart>> = {
  f: 'content',
  l: 'target',
  b: 'device',
  c: 'device',
  d: 'content',
  p: 'content',
  s: 'content',
};
