import type { ManifestStep } from './manifest.js';

/** As the longest path of a submitted file. */
const LONGEST_PATH = 1024;

/**
 * Where a `farm:include` leads: `href` is relative to the file that has it. The result is a path from the manifest's folder, without `.` and `..`; `null`
 * when it would lie elsewhere, or is no plain relative path.
 *
 * @param from the including file, in the same form
 */
export function includedPath(from: string, href: string): string | null {
  if (/^[A-Za-z][A-Za-z0-9+.-]*:|^\/|[\\\u0000-\u001f\u007f]/.test(href)) return null;
  const parts = from.split('/').slice(0, -1);
  for (const part of href.split('/')) {
    if (part === '') return null;
    if (part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return null;
  }
  const path = parts.join('/');
  return path === '' || path.length > LONGEST_PATH ? null : path;
}

/** How messages call the file: the manifest's own name, or the included one's beside it. */
export function placedIn(manifestFile: string, includedFrom: string | null): string {
  return includedFrom === null
    ? manifestFile
    : manifestFile.slice(0, manifestFile.lastIndexOf('/') + 1) + includedFrom;
}

/** `live.xml:12`, for messages about a step. */
export function placeOfStep(manifestFile: string, { includedFrom, line }: ManifestStep): string {
  return `${placedIn(manifestFile, includedFrom)}:${line}`;
}
