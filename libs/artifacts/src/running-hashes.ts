import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

/** Each takes about a kilobyte. */
const MOST = 10_000;

interface RunningHash {
  readonly hash: Hash;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}

/**
 * The hashes of files that grow, so that they need not be read at their end. One is worth something only while its file is as it was left: after a restart, or
 * when another process wrote to the file, there is none.
 */
export class RunningHashes {
  private readonly hashes = new Map<string, RunningHash>();

  /** The hash of all that is in the file, or `null`. Whoever takes it keeps it again, or it is gone. */
  async take(name: string, file: FileHandle): Promise<Hash | null> {
    const kept = this.hashes.get(name);
    this.hashes.delete(name);
    const { size, mtimeNs } = await file.stat({ bigint: true });
    if (size === 0n) return createHash('sha256');
    return kept?.size === size && kept.mtimeNs === mtimeNs ? kept.hash : null;
  }

  async keep(name: string, file: FileHandle, hash: Hash): Promise<void> {
    const { size, mtimeNs } = await file.stat({ bigint: true });
    this.hashes.set(name, { hash, size, mtimeNs });
    const [oldest] = this.hashes.keys();
    if (this.hashes.size > MOST && oldest !== undefined) this.hashes.delete(oldest);
  }

  drop(name: string): void {
    this.hashes.delete(name);
  }
}
