import { splitNodepaths } from './nodepath.js';

/** What a script says about itself in lines such as `# farm:reads: nodepath…`. */
export interface ScriptHeader {
  /** Nodepaths that it asks for; `null` when it has no such line. */
  readonly reads: readonly string[] | null;
  /** Other files that it consists of, as written: relative to the script itself, links followed; no blanks in names. */
  readonly includes: readonly string[];
  /** Variables, of those that not every script with declared reads gets, that it looks at. */
  readonly environment: readonly string[];
}

/** Declarations count only among a script's first bytes. */
export const SCRIPT_HEADER_BYTES = 8192;

/** @param header the script's first `SCRIPT_HEADER_BYTES`, each byte a character (latin1) */
export function readScriptHeader(header: string): ScriptHeader {
  return {
    reads: declaredReads(header),
    includes: declaredWords(header, 'includes'),
    environment: declaredWords(header, 'environment'),
  };
}

function declaredWords(header: string, declaration: 'includes' | 'environment'): readonly string[] {
  return declaredLines(header, declaration)
    .flatMap((line) => line.split(/\s+/))
    .filter((word) => word !== '');
}

/** A line whose quotes do not close grants nothing: the step's queries are then refused, and say so. */
function declaredReads(header: string): readonly string[] | null {
  const lines = declaredLines(header, 'reads');
  return lines.length === 0 ? null : lines.flatMap((line) => splitNodepaths(line) ?? []);
}

function declaredLines(header: string, declaration: keyof ScriptHeader): readonly string[] {
  const line = /^#\s*farm:(?<declaration>[a-z]+):(?<rest>.*)$/gm;
  return [...header.matchAll(line)].flatMap(({ groups }) =>
    groups?.['declaration'] === declaration ? [groups['rest'] ?? ''] : [],
  );
}
