import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of package.json, from the sources as well as from dist/. */
export const INSTALL_ROOT = installRoot(import.meta.dirname);

/** Of this program, as package.json has it. */
export const VERSION = (
  JSON.parse(readFileSync(join(INSTALL_ROOT, 'package.json'), 'utf8')) as { version: string }
).version;

function installRoot(from: string): string {
  return existsSync(join(from, 'package.json')) ? from : installRoot(dirname(from));
}
