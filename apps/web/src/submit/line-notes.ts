import { placedIn, type ManifestProblem, type ManifestStep } from '#libs/manifest';

/** Something wrong, or worth a word, in a file of the submission. */
export interface LineNote {
  readonly kind: 'error' | 'warning';
  /** As problems name it: the manifest, or what it includes. */
  readonly file: string;
  /** From 1; `null`: of the file as a whole. */
  readonly line: number | null;
  readonly column: number | null;
  readonly text: string;
}

export function noteOfProblem(kind: LineNote['kind'], problem: ManifestProblem): LineNote {
  const { file, line, column, path, found, expected } = problem;
  return { kind, file, line, column, text: `${path}: found ${found}, expected ${expected}` };
}

export function noteOfStep(manifest: string, step: ManifestStep, text: string): LineNote {
  const file = placedIn(manifest, step.includedFrom);
  return { kind: 'error', file, line: step.line, column: null, text: `step "${step.name}": ${text}` };
}

/**
 * What the farm found, where it says at which line of which file: `live.xml:12:5: …`.
 *
 * @param files by the name that the farm knows each by, the name by which it is known here
 */
export function noteOfFarm(problem: string, files: ReadonlyMap<string, string>): LineNote | null {
  const [, name = '', line = '', column, text = ''] =
    /^([^:\n]+):(\d+)(?::(\d+))?: ([^]*)$/.exec(problem) ?? [];
  const file = files.get(name);
  if (file === undefined) return null;
  return {
    kind: 'error',
    file,
    line: Number(line),
    column: column === undefined ? null : Number(column),
    text,
  };
}

/** By lines of one file; what is of the file as a whole is at its first line. */
export function notesByLine(
  notes: readonly LineNote[],
  file: string,
): ReadonlyMap<number, readonly LineNote[]> {
  const byLine = new Map<number, LineNote[]>();
  for (const note of notes) {
    if (note.file !== file) continue;
    const line = note.line ?? 1;
    const there = byLine.get(line);
    if (there === undefined) byLine.set(line, [note]);
    else there.push(note);
  }
  return byLine;
}

/** The lines of a text, ended as XML has it. */
export function linesOf(text: string): readonly string[] {
  return text.split(/\r\n?|\n/);
}

/** What is shown of a line, and how many of its characters are not shown in front of it and behind. */
export interface LineCut {
  readonly before: number;
  readonly text: string;
  readonly after: number;
}

const LONGEST_SHOWN = 1000;
const BEFORE_COLUMN = 200;

/** The part of a line that has the column in question; of nearly all lines the whole. */
export function cutLine(line: string, column: number | null): LineCut {
  if (line.length <= LONGEST_SHOWN) return { before: 0, text: line, after: 0 };
  const start = Math.max(0, Math.min((column ?? 1) - 1 - BEFORE_COLUMN, line.length - LONGEST_SHOWN));
  const text = line.slice(start, start + LONGEST_SHOWN);
  return { before: start, text, after: line.length - start - text.length };
}
