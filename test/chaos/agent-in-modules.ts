/** `distrofarm-agent` of the modules that it is made of: installed, it is a few files, whose classes nobody can go around. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { CHAOS_BUILT: built = '' } = process.env;
const path = join(built, 'dist/apps/agent/src/main.js');
const { main } = (await import(pathToFileURL(path).href)) as {
  readonly main: (args: readonly string[]) => Promise<number>;
};
process.exitCode = await main(process.argv.slice(2));
