import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Of this program, as package.json has it. */
export const VERSION = readVersion(import.meta.dirname);

/** package.json is found from the sources as well as from dist/. */
function readVersion(from: string): string {
  const path = join(from, 'package.json');
  if (!existsSync(path)) return readVersion(dirname(from));
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}
