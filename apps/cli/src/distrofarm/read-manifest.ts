import { formatProblem, parseManifest, type Manifest } from '#libs/manifest';
import { includesBelow } from '#libs/steps';
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CliError } from './cli-error.js';
import { EXIT } from './exit-codes.js';

export interface LocalManifest {
  readonly manifest: Manifest;
  readonly text: string;
  /** Milliseconds since 1970; not of what it includes. */
  readonly changedAt: number;
}

/**
 * Reads a manifest with what it includes; its scripts need not be there. Throws a CliError that has every problem found, each on a line.
 *
 * @param name as the user named it
 * @param otherwise what did not happen, when there are problems
 */
export async function readManifest(
  name: string,
  { cwd, now }: { readonly cwd: string; readonly now: number },
  otherwise = '',
): Promise<LocalManifest> {
  const file = resolve(cwd, name);
  const { text, changedAt } = await readText(name, file);
  const result = parseManifest(text, {
    file: name,
    now: new Date(now),
    included: includesBelow(dirname(file)),
  });
  if (result.ok) return { manifest: result.manifest, text, changedAt };
  throw problemsIn(name, result.problems.map(formatProblem), otherwise);
}

export function problemsIn(name: string, problems: readonly string[], otherwise: string): CliError {
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  return new CliError(EXIT.usage, `the manifest ${name} has ${count}${otherwise}:`, null, problems);
}

async function readText(
  name: string,
  file: string,
): Promise<{ readonly text: string; readonly changedAt: number }> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
    return { text, changedAt: mtimeMs };
  } catch (error) {
    throw new CliError(EXIT.usage, `the manifest file ${name} cannot be read: ${reasonOf(error)}`);
  }
}

/** Why a file cannot be read, to complete "`x` …". */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'does not exist';
  if (code === 'EISDIR') return 'is a folder';
  return code === 'EACCES' ? 'may not be read' : message;
}
