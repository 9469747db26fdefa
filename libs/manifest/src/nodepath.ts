/**
 * The query language of ManifestRead. `a/b/c` names elements from the root's children down; the last part may
 * also be an attribute. `a=v` keeps nodes with that value, `a[p=v:q=w]` those below which paths have those
 * values, `..` goes up. Values may stand in quotes to protect `/ : [ ] =`.
 */
export interface Nodepath {
  readonly parts: readonly NodepathPart[];
}

export interface NodepathPart {
  /** `..` for the way up. */
  readonly name: string;
  readonly predicates: readonly Predicate[];
  readonly value: string | null;
}

export interface Predicate {
  readonly path: Nodepath;
  readonly value: string;
}

export type NodepathResult =
  { readonly ok: true; readonly nodepath: Nodepath } | { readonly ok: false; readonly reason: string };

/** More than any sensible query, few enough that a hostile one costs nothing. */
const LONGEST_NODEPATH = 4096;
const DEEPEST_PREDICATE = 4;

export function parseNodepath(text: string): NodepathResult {
  if (text.length > LONGEST_NODEPATH) {
    return { ok: false, reason: `a nodepath has at most ${LONGEST_NODEPATH} characters` };
  }
  if (text.startsWith('/')) {
    return { ok: false, reason: 'a nodepath does not start with "/": it starts below the root element' };
  }
  const reader = new NodepathReader(text);
  const nodepath = reader.readPath(0);
  if (nodepath === null || !reader.isAtEnd()) return { ok: false, reason: reader.reason() };
  return { ok: true, nodepath };
}

/** The nodepath that ManifestRead's `-k` stands for. */
export function keyNodepath(key: string): string {
  return `key_value_pairs/pair[key=${quoted(key)}]/value`;
}

/**
 * Splits a list of nodepaths as `farm:reads` has them: blanks separate, except inside quotes. `null` when a
 * quote is never closed.
 */
export function splitNodepaths(list: string): readonly string[] | null {
  if (list.replace(LISTED_NODEPATH, '').trim() !== '') return null;
  return list.match(LISTED_NODEPATH) ?? [];
}

/** A bare backslash takes the next character along, or a run of `\"` would be scanned once for each of them. */
const LISTED_NODEPATH = /(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\\.|[^\s"'\\])+/gs;

function quoted(value: string): string {
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}

const NAME = /(?:farm:(?=[^\s/:[\]="']))?[^\s/:[\]="']+/y;
const BARE_VALUE = /[^/:[\]="'][^/:[\]=]*/y;
const QUOTED_VALUE = /"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'/sy;

/** Recursive descent; every `read…` returns `null` where the text does not fit, and stays there. */
class NodepathReader {
  private index = 0;

  constructor(private readonly text: string) {}

  isAtEnd(): boolean {
    return this.index === this.text.length;
  }

  reason(): string {
    const next = this.text[this.index];
    const where = next === undefined ? 'the end' : `"${next}" at character ${this.index + 1}`;
    return `not a nodepath: ${where} is not expected there`;
  }

  readPath(depth: number): Nodepath | null {
    const parts: NodepathPart[] = [];
    do {
      const part = this.readPart(depth);
      if (part === null) return null;
      parts.push(part);
    } while (this.take('/'));
    return { parts };
  }

  private readPart(depth: number): NodepathPart | null {
    const name = this.match(NAME)?.[0];
    if (name === undefined) return null;
    const predicates = this.take('[') ? this.readPredicates(depth + 1) : [];
    if (predicates === null) return null;
    // Inside brackets a `=` ends the path; its value belongs to the predicate.
    if (depth > 0 || !this.take('=')) return { name, predicates, value: null };
    const value = this.readValue();
    return value === null ? null : { name, predicates, value };
  }

  private readPredicates(depth: number): Predicate[] | null {
    if (depth > DEEPEST_PREDICATE) return null;
    const predicates: Predicate[] = [];
    do {
      const path = this.readPath(depth);
      if (path === null || !this.take('=')) return null;
      const value = this.readValue();
      if (value === null) return null;
      predicates.push({ path, value });
    } while (this.take(':'));
    return this.take(']') ? predicates : null;
  }

  private readValue(): string | null {
    const quotedMatch = this.match(QUOTED_VALUE);
    if (quotedMatch !== null) {
      return (quotedMatch[1] ?? quotedMatch[2] ?? '').replace(/\\(["'\\])/g, '$1');
    }
    return this.match(BARE_VALUE)?.[0].trim() ?? null;
  }

  private take(character: string): boolean {
    if (this.text[this.index] !== character) return false;
    this.index += 1;
    return true;
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.index;
    const match = pattern.exec(this.text);
    if (match !== null) this.index += match[0].length;
    return match;
  }
}
