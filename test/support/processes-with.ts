import { readdir, readFile } from 'node:fs/promises';

/** How many processes of this machine have the marker in their argv. */
export async function processesWith(marker: string): Promise<number> {
  let found = 0;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const argv = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (argv.includes(marker)) found += 1;
  }
  return found;
}
