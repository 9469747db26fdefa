import { placeOfStep, stepPrograms, type Manifest, type ManifestStep } from '#libs/manifest';
import { scriptHeader, scriptPath } from '#libs/steps';
import type { SubmittedFile } from '#libs/contracts';
import { formatBytes } from '#libs/watch';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { CliError } from './cli-error.js';
import { EXIT } from './exit-codes.js';
import { problemsIn, readManifest, reasonOf } from './read-manifest.js';

/** A manifest with all that it includes, and all the files that its scripts consist of, as the farm takes it. */
export interface Submission {
  readonly manifest: Manifest;
  readonly text: string;
  /** Relative to `root`, as the paths of the files. */
  readonly manifestPath: string;
  readonly files: readonly SubmittedFile[];
  /** Seconds since 1970. */
  readonly sourceDateEpoch: number;
  /** Nobody asked for that time. */
  readonly anySourceDateEpoch: boolean;
  /** The folder that holds all of it. */
  readonly root: string;
}

export interface SubmissionRequest {
  /** As the user named it. */
  readonly manifest: string;
  /** Files and folders to take along (`--file`). */
  readonly extras: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: number;
}

/** What the API takes: contracts' MAX_FILES and its limits; the spec compares them. */
export const LIMITS = {
  manifestCharacters: 1024 * 1024,
  fileBytes: 4 * 1024 * 1024,
  files: 500,
  bodyBytes: 16 * 1024 * 1024,
} as const;
const MAX_PATH = 1024;
const NOTHING = '; nothing was submitted';

/** A file at the path where the scripts expect it, with the file that has its bytes: another one where a link leads there. */
interface PlacedFile {
  readonly path: string;
  readonly source: string;
  readonly bytes: Buffer;
  readonly executable: boolean;
  /** Milliseconds since 1970. */
  readonly changedAt: number;
}

/** Reads and checks all of it. Throws a CliError that has every problem found, each on a line. */
export async function readSubmission(request: SubmissionRequest): Promise<Submission> {
  const file = resolve(request.cwd, request.manifest);
  const { manifest, text, changedAt } = await readManifest(request.manifest, request, NOTHING);
  const problems: string[] = [];
  const placed: PlacedFile[] = [];
  for (const included of manifest.includes) await placeIncluded(file, included, placed, problems);
  const latest = Math.max(changedAt, ...placed.map((included) => included.changedAt));
  for (const step of manifest.steps) await placePrograms(request.manifest, file, step, placed, problems);
  for (const extra of request.extras) await placeExtra(extra, resolve(request.cwd, extra), placed, problems);
  const files = distinct(placed, problems);
  problems.push(...sizeProblems(text, files));
  if (problems.length > 0) throw problemsIn(request.manifest, problems, NOTHING);
  const root = commonFolder([file, ...files.map(({ path }) => path)]);
  const inRoot = (path: string): string => relative(root, path).split(sep).join('/');
  return {
    manifest,
    text,
    manifestPath: checkedPath(inRoot(file)),
    files: files
      .map(({ path, bytes, executable }) => ({
        path: checkedPath(inRoot(path)),
        executable,
        base64: bytes.toString('base64'),
      }))
      .toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    ...imageTime(request.env, latest),
    root,
  };
}

/** It was read a moment ago, and found to lie below the manifest's folder. */
async function placeIncluded(
  manifestFile: string,
  included: string,
  placed: PlacedFile[],
  problems: string[],
): Promise<void> {
  const path = join(dirname(manifestFile), included);
  const found = await readPlaced(path, path);
  if (typeof found === 'string') problems.push(`${path} ${found}`);
  else placed.push(found);
}

/** The step's script, and the program of its fingerprint where that is a file. */
async function placePrograms(
  name: string,
  manifestFile: string,
  step: ManifestStep,
  placed: PlacedFile[],
  problems: string[],
): Promise<void> {
  const where = `${placeOfStep(name, step)}: step "${step.name}":`;
  for (const { what, path: word } of stepPrograms(step)) {
    const path = scriptPath(manifestFile, word);
    await placeProgram({ where, what: `the ${what} ${word}`, word, path }, placed, problems);
  }
}

interface Program {
  readonly where: string;
  readonly what: string;
  /** As the manifest has it. */
  readonly word: string;
  readonly path: string;
}

/** With the files that its header includes. */
async function placeProgram(
  { where, what, word, path }: Program,
  placed: PlacedFile[],
  problems: string[],
): Promise<void> {
  if (isAbsolute(word)) {
    problems.push(
      `${where} ${what} has an absolute path; on a farm, it is relative to the manifest and submitted with it`,
    );
    return;
  }
  const script = await readPlaced(path, path);
  if (typeof script === 'string') {
    problems.push(`${where} ${path} ${script}; expected an executable file`);
    return;
  }
  if (!script.executable) problems.push(`${where} ${path} is not executable`);
  placed.push(script);
  // A script finds what it includes from its own place, links followed. Submitted, a link becomes the file itself, so they move along with it.
  const folder = dirname(script.source);
  for (const included of scriptHeader(script.bytes).includes) {
    const found = await readPlaced(resolve(dirname(path), included), resolve(folder, included));
    if (typeof found === 'string') problems.push(`${where} ${path} includes ${included}, which ${found}`);
    else placed.push(found);
  }
}

/** A folder is taken with all files below it; links to folders are not followed. */
async function placeExtra(
  name: string,
  path: string,
  placed: PlacedFile[],
  problems: string[],
): Promise<void> {
  const folder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const paths = folder ? await filesBelow(path) : [path];
  for (const each of paths.slice(0, LIMITS.files + 1)) {
    const found = await readPlaced(each, each);
    if (typeof found === 'string') problems.push(`--file ${name}: ${each} ${found}`);
    else placed.push(found);
  }
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map((entry) => join(entry.parentPath, entry.name)).toSorted();
}

/** A string says why it cannot be taken. */
async function readPlaced(path: string, file: string): Promise<PlacedFile | string> {
  try {
    const source = await realpath(file);
    const found = await stat(source);
    if (!found.isFile()) return 'is not a regular file';
    if (found.size > LIMITS.fileBytes) {
      return `has ${formatBytes(found.size)}, and a submitted file may have ${formatBytes(LIMITS.fileBytes)}; let the script fetch it`;
    }
    return {
      path,
      source,
      bytes: await readFile(source),
      executable: (found.mode & 0o111) !== 0,
      changedAt: found.mtimeMs,
    };
  } catch (error) {
    return reasonOf(error);
  }
}

/** Each path once. Two different files at one path can only come from links. */
function distinct(placed: readonly PlacedFile[], problems: string[]): readonly PlacedFile[] {
  const byPath = new Map<string, PlacedFile>();
  for (const file of placed) {
    const other = byPath.get(file.path);
    if (other === undefined) byPath.set(file.path, file);
    else if (!other.bytes.equals(file.bytes)) {
      problems.push(
        `${file.path}: both ${other.source} and ${file.source} belong there; submit scripts under their real paths`,
      );
    }
  }
  return [...byPath.values()];
}

function sizeProblems(text: string, files: readonly PlacedFile[]): readonly string[] {
  const problems: string[] = [];
  if (text.length > LIMITS.manifestCharacters) {
    problems.push(`the manifest has ${text.length} characters, and may have ${LIMITS.manifestCharacters}`);
  }
  if (files.length > LIMITS.files) {
    problems.push(`there are more than ${LIMITS.files} files to submit; pack them into one`);
  }
  // As the body carries them: base64, and some for the names.
  const bytes = files.reduce(
    (sum, file) => sum + Math.ceil(file.bytes.length / 3) * 4 + file.path.length + 60,
    text.length,
  );
  if (bytes > LIMITS.bodyBytes) {
    problems.push(
      `the submission has ${formatBytes(bytes)}, and may have ${formatBytes(LIMITS.bodyBytes)}; let scripts fetch what is large`,
    );
  }
  return problems;
}

function commonFolder(paths: readonly string[]): string {
  const [first = [], ...others] = paths.map((path) => dirname(path).split(sep));
  const depth = first.findIndex((part, index) => others.some((other) => other[index] !== part));
  return first.slice(0, depth < 0 ? first.length : depth).join(sep) || sep;
}

/** As contracts' RelativePath. */
function checkedPath(path: string): string {
  if (path.length <= MAX_PATH && !/[\u0000-\u001f\u007f\\]/.test(path)) return path;
  throw new CliError(
    EXIT.usage,
    `${JSON.stringify(path)} cannot be the path of a submitted file`,
    'Rename it: no control characters, no backslash, at most 1024 characters.',
  );
}

/** Seconds since 1970; https://reproducible-builds.org/specs/source-date-epoch/ */
function imageTime(
  env: SubmissionRequest['env'],
  changedAtMs: number,
): Pick<Submission, 'sourceDateEpoch' | 'anySourceDateEpoch'> {
  const given = env['SOURCE_DATE_EPOCH'] ?? '';
  return /^\d{1,11}$/.test(given)
    ? { sourceDateEpoch: Number(given), anySourceDateEpoch: false }
    : { sourceDateEpoch: Math.floor(changedAtMs / 1000), anySourceDateEpoch: true };
}
