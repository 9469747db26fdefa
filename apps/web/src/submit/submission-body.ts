import type { SubmitBuild, SubmittedFile } from '#libs/contracts';
import { formatBytes } from '#libs/watch';
import type { Choice } from './choice.js';
import type { FilePlace } from './find-file.js';
import type { Gathered } from './gather.js';
import { LIMITS } from './submission-limits.js';

/** A file that goes along though nothing names it: beside the manifest. */
export interface ExtraFile {
  readonly name: string;
  readonly executable: boolean;
  readonly bytes: Uint8Array;
}

/** What is sent but for what was chosen. */
export type SentFiles = Pick<
  SubmitBuild,
  'manifest' | 'manifestPath' | 'files' | 'sourceDateEpoch' | 'anySourceDateEpoch'
>;

/** Everything at a path below the folder that holds all of it. Folders whose names nobody knows, since `..` leads to them, are called `above`. */
export function sentFiles(
  { address, text, files, changedAt }: Pick<Gathered, 'address' | 'text' | 'files' | 'changedAt'>,
  extras: readonly ExtraFile[] = [],
): SentFiles {
  const deepest = Math.max(0, ...files.map(({ above }) => above));
  const placed = ({ path, above }: FilePlace): string =>
    [...Array<string>(deepest - above).fill('above'), path].join('/');
  const folder = address.slice(0, address.lastIndexOf('/') + 1);
  const all = [
    ...files.map((file) => ({ ...file, path: placed(file) })),
    ...extras.map((file) => ({ ...file, path: placed({ path: folder + file.name, above: 0 }) })),
  ];
  const manifestPath = placed({ path: address, above: 0 });
  const shared = commonFolder([manifestPath, ...all.map(({ path }) => path)]).length;
  return {
    manifest: text,
    manifestPath: manifestPath.slice(shared),
    files: all
      .map(({ path, executable, bytes }): SubmittedFile => ({
        path: path.slice(shared),
        executable,
        base64: base64Of(bytes),
      }))
      .toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    sourceDateEpoch: Math.max(0, changedAt),
    // As of the command line without SOURCE_DATE_EPOCH.
    anySourceDateEpoch: true,
  };
}

/** With its `/` at the end; empty where they have none in common. */
function commonFolder(paths: readonly string[]): string {
  const [first = [], ...others] = paths.map((path) => path.split('/').slice(0, -1));
  const depth = first.findIndex((part, index) => others.some((other) => other[index] !== part));
  return first
    .slice(0, depth < 0 ? first.length : depth)
    .map((part) => `${part}/`)
    .join('');
}

/** What the API would refuse because of its size, in words. */
export function sizeProblem({ manifest, files }: SentFiles): string | null {
  if (files.length > LIMITS.files)
    return `There are ${files.length} files to submit, and there may be ${LIMITS.files}; pack some into one.`;
  const bytes = files.reduce(
    (sum, { base64, path }) => sum + base64.length + path.length + 60,
    manifest.length,
  );
  return bytes > LIMITS.bodyBytes
    ? `The submission has ${formatBytes(bytes)}, and may have ${formatBytes(LIMITS.bodyBytes)}; let scripts fetch what is large.`
    : null;
}

/** Bytes at a time that become arguments of one call. */
const CHUNK = 0x8000;

function base64Of(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK)
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(text);
}

/** Which variants are meant, as `SubmitBuild` has it. */
export interface ChosenVariants {
  /** Empty: all. */
  readonly variants: readonly string[];
  readonly matrix: Readonly<Record<string, readonly string[]>>;
}

/**
 * `null`: nothing is ticked.
 *
 * @param known what the manifest has: more may have been ticked of an earlier one
 */
export function chosenVariants(
  { byAxes, variants, values }: Pick<Choice, 'byAxes' | 'variants' | 'values'>,
  known: {
    readonly variants: readonly { readonly name: string }[];
    readonly axes: readonly {
      readonly name: string;
      readonly values: readonly { readonly name: string }[];
    }[];
  },
): ChosenVariants | null {
  if (!byAxes) {
    const ticked = known.variants
      .map(({ name }) => name)
      .filter((name) => variants?.includes(name) !== false);
    if (ticked.length === 0) return null;
    return { variants: ticked.length === known.variants.length ? [] : ticked, matrix: {} };
  }
  const wanted = known.axes.flatMap((axis): (readonly [string, readonly string[]])[] => {
    const ticked = axis.values.map(({ name }) => name).filter((name) => values[axis.name]?.includes(name));
    if (ticked.length === 0) return [];
    return [[axis.name, ticked.length === axis.values.length ? [] : ticked]];
  });
  return wanted.length === 0 ? null : { variants: [], matrix: Object.fromEntries(wanted) };
}

export function submissionBody(
  files: SentFiles,
  { variants, matrix }: ChosenVariants,
  choice: Choice,
  idempotencyKey: string | null,
): SubmitBuild {
  return {
    ...files,
    variants: [...variants],
    matrix: Object.fromEntries(Object.entries(matrix).map(([axis, values]) => [axis, [...values]])),
    priority: choice.priority,
    pauseBefore: choice.pauseBefore,
    reuse: choice.reuse,
    waitForReplicas: choice.waitForReplicas,
    wait: choice.waitForAgents,
    note: choice.note.trim(),
    idempotencyKey,
  };
}
