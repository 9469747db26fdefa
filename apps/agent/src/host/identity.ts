import { AgentId, Name } from '#libs/contracts';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** Who this agent is, and to whom. The key is a secret. */
const Identity = z.strictObject({
  agent: AgentId,
  name: Name,
  key: z.string().min(1),
  /** The coordinator's address. */
  coordinator: z.string(),
  /** PEM of the farm's own certificate authority; `null`: the system's are trusted. */
  ca: z.string().nullable(),
});
export type Identity = z.infer<typeof Identity>;

/** `null` when the agent is not enrolled. Throws for a file that is there and damaged. */
export async function readIdentity(stateFolder: string): Promise<Identity | null> {
  const path = fileIn(stateFolder);
  try {
    return Identity.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Error(`${path} cannot be read: ${(error as Error).message}. Enrol the agent again.`, {
      cause: error,
    });
  }
}

/** Replaces the file as a whole; nobody but its owner can ever read it. */
export async function writeIdentity(stateFolder: string, identity: Identity): Promise<void> {
  await mkdir(stateFolder, { recursive: true, mode: 0o700 });
  const path = fileIn(stateFolder);
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(JSON.stringify(identity, null, 2) + '\n');
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

function fileIn(stateFolder: string): string {
  return join(stateFolder, 'identity.json');
}
