import type { AttemptId } from '#libs/contracts';
import { constants, fstatSync } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { wrongOffset } from './blob-error.js';
import { parseAttemptId } from './blob-store.js';
import { hasCode } from './error-code.js';
import { LogStore } from './log-store.js';
import { makePrivateFolder } from './private-folder.js';
import { Turns } from './turns.js';

const { O_RDONLY, O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
/** More attempts than log at one time; a file costs 10 microseconds to open again. */
const MOST_OPEN_FILES = 256;

/**
 * One file per attempt, which only grows; its length is the log's. Nothing is flushed to the disk per chunk: `append` resolves once the kernel has the
 * bytes, so the death of this process loses none, and a power failure the last seconds. The file is shorter then than the agent was told; the
 * agent learns it by WRONG_OFFSET, and what it no longer has shows in the log as lost. Several processes on one machine may use the same folder.
 */
export class DirectoryLogStore extends LogStore {
  override readonly description: string;
  override readonly pieceBytes = 512 * 1024;
  /** The one used last is last. */
  private readonly files = new Map<AttemptId, FileHandle>();
  private readonly turns = new Turns();

  private constructor(private readonly folder: string) {
    super();
    this.description = `folder ${folder}`;
  }

  /** Throws BlobError UNUSABLE where the folder is somebody else's or a link. */
  static async open(folder: string): Promise<DirectoryLogStore> {
    await makePrivateFolder(folder);
    return new DirectoryLogStore(folder);
  }

  override async append(name: string, offset: number, bytes: Uint8Array): Promise<number> {
    const attempt = parseAttemptId(name);
    return await this.turns.run(attempt, async () => {
      const file = await this.fileOf(attempt);
      // Asked each time, since another process may have added to it; at once, since for an open file that is quicker than to wait for an answer.
      const { size } = fstatSync(file.fd);
      if (offset > size) throw wrongOffset(`the log of attempt ${attempt}`, size);
      const rest = bytes.subarray(size - offset);
      for (let done = 0; done < rest.length;) {
        const { bytesWritten } = await file.write(rest, done, rest.length - done, size + done);
        done += bytesWritten;
      }
      return size + rest.length;
    });
  }

  override async length(name: string): Promise<number> {
    const file = await this.openIfThere(parseAttemptId(name));
    if (file === null) return 0;
    try {
      return (await file.stat()).size;
    } finally {
      await file.close();
    }
  }

  override async read(name: string, offset: number, maxBytes: number): Promise<Buffer> {
    const file = await this.openIfThere(parseAttemptId(name));
    if (file === null) return Buffer.alloc(0);
    try {
      const there = Math.max(0, (await file.stat()).size - offset);
      const buffer = Buffer.allocUnsafe(Math.min(maxBytes, there));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  override async remove(name: string): Promise<void> {
    const attempt = parseAttemptId(name);
    await this.turns.run(attempt, async () => {
      await this.closeFile(attempt);
      await rm(this.pathOf(attempt), { force: true });
    });
  }

  override async close(): Promise<void> {
    await this.turns.ended();
    for (const attempt of [...this.files.keys()]) await this.closeFile(attempt);
  }

  private async fileOf(attempt: AttemptId): Promise<FileHandle> {
    const kept = this.files.get(attempt);
    this.files.delete(attempt);
    const file = kept ?? (await open(this.pathOf(attempt), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600));
    this.files.set(attempt, file);
    const idle = [...this.files.keys()].find((each) => !this.turns.isBusy(each));
    if (this.files.size > MOST_OPEN_FILES && idle !== undefined) await this.closeFile(idle);
    return file;
  }

  private async closeFile(attempt: AttemptId): Promise<void> {
    const file = this.files.get(attempt);
    this.files.delete(attempt);
    await file?.close();
  }

  private async openIfThere(attempt: AttemptId): Promise<FileHandle | null> {
    try {
      return await open(this.pathOf(attempt), O_RDONLY | O_NOFOLLOW);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return null;
      throw error;
    }
  }

  private pathOf(attempt: AttemptId): string {
    return join(this.folder, `${attempt}.log`);
  }
}
