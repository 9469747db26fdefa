import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where `distrofarm up` keeps a farm. Nobody but its owner may enter it: steps' trees hold programs that run as root. */
export interface FarmFolder {
  readonly root: string;
  readonly redis: string;
  readonly coordinator: string;
  readonly agent: string;
  readonly logs: string;
  /** The agent's areas, where it keeps them in a folder. */
  readonly areas: string;
}

/** Makes what is not there. May be called again. */
export async function openFarmFolder(root: string): Promise<FarmFolder> {
  const folder = {
    root,
    redis: join(root, 'redis'),
    coordinator: join(root, 'coordinator'),
    agent: join(root, 'agent'),
    logs: join(root, 'logs'),
    areas: join(root, 'areas'),
  };
  for (const path of [folder.root, folder.logs]) {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await chmod(path, 0o700);
  }
  return folder;
}

/** The store that the farm's agent was started with last, a dataset or a folder; `null` before its first start. */
export async function rememberedStore({ root }: FarmFolder): Promise<string | null> {
  try {
    return (await readFile(join(root, 'store'), 'utf8')).trim() || null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

export async function rememberStore({ root }: FarmFolder, store: string): Promise<void> {
  await writeFile(join(root, 'store.new'), `${store}\n`, { mode: 0o600 });
  await rename(join(root, 'store.new'), join(root, 'store'));
}
