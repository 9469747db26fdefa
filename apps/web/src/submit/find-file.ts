/** Where a file that a manifest names belongs. */
export interface FilePlace {
  /** From the top of what was dropped, without `.` and `..`. */
  readonly path: string;
  /** How many folders above that top the manifest's `..` lead: nobody knows their names. */
  readonly above: number;
}

/** A thing that was dropped, and what is to be looked for in it: `null` for a file, which is that itself. */
export interface Lookup {
  readonly thing: number;
  readonly below: string | null;
}

/**
 * @param manifest where the manifest lies, from the top of what was dropped
 * @param named as the manifest has it, relative to itself
 */
export function placeOf(manifest: string, named: string): FilePlace {
  const parts = manifest.split('/').slice(0, -1);
  let above = 0;
  for (const part of named.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) above += 1;
  }
  return { path: parts.join('/'), above };
}

/**
 * Where to look for the file at that path, the likeliest first. Things that were dropped lie beside each other; but whoever drops `debian` out of `finalizers`, or a script
 * without its folder, means the file whose path ends like that, and whoever drops the folder above the manifest's means what is in it.
 */
export function lookups(
  path: string,
  things: readonly { readonly kind: 'file' | 'folder'; readonly name: string }[],
): readonly Lookup[] {
  const parts = path.split('/');
  const found = things.flatMap(({ kind, name }, thing): (Lookup & { readonly rank: number })[] => {
    const last = parts.length - 1;
    // The lower the rank, the more of the path is what was dropped.
    if (kind === 'file') return parts[last] === name ? [{ thing, below: null, rank: last }] : [];
    const inside = parts.flatMap((part, at) =>
      part === name && at < last ? [{ thing, below: parts.slice(at + 1).join('/'), rank: at }] : [],
    );
    return [...inside, { thing, below: path, rank: parts.length }];
  });
  return found.toSorted((a, b) => a.rank - b.rank).map(({ thing, below }) => ({ thing, below }));
}
