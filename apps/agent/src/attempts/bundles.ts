import type { Assignment } from '#libs/contracts';
import { createHash } from 'node:crypto';
import { hashFile } from '#libs/artifacts';
import { chmod, copyFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { WantedBlob } from '../blobs/blob-cache.js';
import { KeyedMutex } from '../keyed-mutex.js';

type Submitted = Pick<Assignment, 'files' | 'manifest' | 'manifestPath'>;

/** The files of submissions as folders, each by the digest of what is in it. Steps only read them. */
export class Bundles {
  readonly #mutex = new KeyedMutex();

  constructor(private readonly folder: string) {}

  /** When nothing runs: what earlier processes made goes, as a step that is root may have changed it. */
  async clear(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
    await mkdir(this.folder, { recursive: true, mode: 0o755 });
    await chmod(this.folder, 0o755);
  }

  /** The folder with the assignment's files and manifest, made when it is not there, or not as it was made. */
  async open(assignment: Submitted, fetch: (blob: WantedBlob) => Promise<string>): Promise<string> {
    const digest = digestOf(assignment);
    return await this.#mutex.run(digest, async () => {
      const path = join(this.folder, digest);
      if (await isWhole(path, assignment)) return path;
      const incoming = await mkdtemp(join(this.folder, '.incoming-'));
      try {
        await fill(incoming, assignment, fetch);
        await rm(path, { recursive: true, force: true });
        await rename(incoming, path);
        return path;
      } finally {
        await rm(incoming, { recursive: true, force: true });
      }
    });
  }
}

function digestOf({ files, manifest, manifestPath }: Submitted): string {
  const list = files.map(({ path, executable, sha256 }) => [path, executable, sha256]);
  return createHash('sha256')
    .update(JSON.stringify([list, manifestPath, manifest]))
    .digest('hex');
}

async function fill(
  folder: string,
  { files, manifest, manifestPath }: Submitted,
  fetch: (blob: WantedBlob) => Promise<string>,
): Promise<void> {
  await chmod(folder, 0o755);
  for (const file of files) {
    const target = join(folder, file.path);
    await makeFolders(dirname(target));
    await copyFile(await fetch(file), target);
    await chmod(target, file.executable ? 0o755 : 0o644);
  }
  const place = join(folder, manifestPath);
  await makeFolders(dirname(place));
  await writeFile(place, manifest);
  await chmod(place, 0o644);
}

/** Not by the mode of mkdir, which the umask takes from. */
async function makeFolders(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o755 });
  for (let at = path; first !== undefined && at.startsWith(first); at = dirname(at)) await chmod(at, 0o755);
}

async function isWhole(folder: string, { files, manifest, manifestPath }: Submitted): Promise<boolean> {
  const wanted = [
    ...files.filter(({ path }) => path !== manifestPath),
    { path: manifestPath, sha256: createHash('sha256').update(manifest).digest('hex') },
  ];
  try {
    for (const { path, sha256 } of wanted) {
      if ((await hashFile(join(folder, path))).sha256 !== sha256) return false;
    }
    return true;
  } catch {
    return false;
  }
}
