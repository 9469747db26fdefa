import { createHash } from 'node:crypto';

export interface FileContent {
  /** Relative to the folder that they lie in together. */
  readonly path: string;
  readonly executable: boolean;
  /** Of its bytes, hex. */
  readonly sha256: string;
}

/** SHA-256 (hex) of the files that lie with a manifest, in whatever order they come: what a step can tell apart that looks into `DC_MANIFEST_FOLDER`. */
export function filesDigest(files: readonly FileContent[]): string {
  const sorted = files
    .map(({ path, executable, sha256 }) => [path, executable, sha256] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex');
}
