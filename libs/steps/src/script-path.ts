import { dirname, resolve } from 'node:path';

/** Where a step's script lies: what the manifest says, seen from the manifest's own folder. */
export function scriptPath(manifestFile: string, script: string): string {
  return resolve(dirname(manifestFile), script);
}
