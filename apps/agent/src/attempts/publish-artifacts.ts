import { fileIdentity, hashFile, isSameFile, type FileIdentity } from '#libs/artifacts';
import { RelativePath, type ReportEvent } from '#libs/contracts';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FileChanged, uploadFile, type FileToUpload } from '../blobs/upload.js';
import type { AttemptKey, CoordinatorLink } from '../link/coordinator-link.js';

interface Uploaded extends FileToUpload {
  readonly identity: FileIdentity;
}

export interface ArtifactUploadOptions {
  readonly link: CoordinatorLink;
  readonly key: AttemptKey;
  readonly mediaPath: string;
  readonly chunkBytes: () => number;
  readonly signal: AbortSignal;
  /** A file whose name cannot be that of an artifact. */
  readonly warn: (text: string) => void;
}

/**
 * Uploads the files of an attempt's media folder while later steps run. What changed meanwhile is uploaded again; which files are artifacts is said at the end only:
 * all of them when all steps have succeeded, else those in the folder of the step that failed, which say why.
 */
export class ArtifactUploads {
  readonly #done = new Map<string, Uploaded>();
  #work: Promise<void> = Promise.resolve();

  constructor(private readonly options: ArtifactUploadOptions) {}

  /** A step has ended: what it left in the media folder is uploaded in the background. */
  lookAgain(): void {
    // What fails here is tried again at the end, where it counts.
    this.#work = this.#work.then(async () => {
      await this.#uploadAll().catch(() => undefined);
    });
  }

  /** No step runs any more: uploads the rest, and resolves to what is to be reported. With a folder, only of what is in it. */
  async finish(folder: string | null = null): Promise<readonly ReportEvent[]> {
    await this.#work;
    this.options.signal.throwIfAborted();
    const names = await this.#uploadAll(folder);
    return names.flatMap((name) => {
      const file = this.#done.get(name);
      return file === undefined
        ? []
        : [{ type: 'artifact-published' as const, name, sha256: file.sha256, bytes: file.bytes }];
    });
  }

  async #uploadAll(folder: string | null = null): Promise<readonly string[]> {
    const all = await artifactNames(this.options.mediaPath, this.options.warn);
    const names = folder === null ? all : all.filter((name) => name.startsWith(`${folder}/`));
    for (const name of names) await this.#upload(name);
    return names;
  }

  async #upload(name: string): Promise<void> {
    const { link, key, mediaPath, chunkBytes, signal } = this.options;
    const path = join(mediaPath, name);
    for (;;) {
      const identity = await fileIdentity(path);
      const done = this.#done.get(name);
      if (done !== undefined && isSameFile(done.identity, identity)) return;
      const file = { path, ...(await hashFile(path, signal)), identity };
      try {
        await uploadFile(link, key, file, chunkBytes(), signal);
      } catch (error) {
        if (error instanceof FileChanged) continue;
        throw error;
      }
      if (!isSameFile(await fileIdentity(path), identity)) continue;
      this.#done.set(name, file);
      return;
    }
  }
}

/** Regular files below the folder, by relative path, in order. Links are not followed. */
async function artifactNames(folder: string, warn: (text: string) => void): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
  const [good, bad] = [true, false].map((wanted) =>
    names.filter((name) => RelativePath.safeParse(name).success === wanted),
  );
  for (const name of bad ?? []) warn(`${JSON.stringify(name)} cannot be the name of an artifact`);
  return good ?? [];
}
