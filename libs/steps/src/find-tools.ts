import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';

/** Which of these programs are in no folder of `path` (folders joined by colons), in the order asked. */
export async function missingTools(tools: readonly string[], path: string): Promise<readonly string[]> {
  const found = await Promise.all(tools.map(async (tool) => await isInPath(tool, path)));
  return tools.filter((_, index) => found[index] === false);
}

async function isInPath(tool: string, path: string): Promise<boolean> {
  const tries = path.split(':').map(async (folder) => {
    try {
      await access(join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return (await Promise.all(tries)).includes(true);
}
