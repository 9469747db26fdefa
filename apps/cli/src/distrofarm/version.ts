import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Of this program, as package.json has it. */
export const VERSION = readVersion(import.meta.dirname);

/** From the sources as well as from dist/. */
function readVersion(from: string): string {
  const file = join(from, 'package.json');
  if (!existsSync(file)) return readVersion(dirname(from));
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
