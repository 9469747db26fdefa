import { splitNodepaths } from './nodepath.js';
import { readsCover } from './reads-cover.js';

/** The nodepaths that allow all of these queries and no other: those of them that no other of them covers. In the order of their names. */
export function collapseReads(nodepaths: readonly string[]): readonly string[] {
  const distinct = [...new Set(nodepaths)].toSorted();
  return distinct.filter((nodepath, at) =>
    distinct.every((other, of) => {
      if (of === at || !readsCover([other], nodepath)) return true;
      // Of two that mean the same, the first.
      return readsCover([nodepath], other) && at < of;
    }),
  );
}

/** As a script's header has it. What a list of nodepaths cannot hold, since it has blanks outside of quotes, is left out. */
export function readsLine(nodepaths: readonly string[]): string {
  const listed = nodepaths.filter((nodepath) => splitNodepaths(nodepath)?.length === 1);
  return `# farm:reads: ${listed.join(' ')}`.trimEnd();
}
