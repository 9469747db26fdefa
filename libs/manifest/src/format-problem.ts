import type { ManifestProblem } from './manifest.js';

/** One sentence: `live.xml:12:5: distribution/img_params/hostname: found "-", expected a host name`. */
export function formatProblem(problem: ManifestProblem): string {
  const { file, line, column, path, found, expected } = problem;
  const position = [file.replace(/\p{C}/gu, '?'), line, column].filter((part) => part !== null).join(':');
  return `${position}: ${path}: found ${found}, expected ${expected}`;
}
