import { fingerprintFile } from '#libs/manifest';
import { scriptPath } from './script-path.js';

/** What a fingerprint command's first word names: a file where it has a slash, found as a step's script is, or else a program of the steps' PATH (`null`). */
export function fingerprintProgram(manifestFile: string, command: readonly string[]): string | null {
  const file = fingerprintFile(command);
  return file === null ? null : scriptPath(manifestFile, file);
}
