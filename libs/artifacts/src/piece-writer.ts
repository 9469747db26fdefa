import { createHash, type Hash } from 'node:crypto';
import { open, rename, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

interface Piece {
  readonly sha256: string;
  readonly bytes: number;
}

/** Writes bytes to files that get their SHA-256 as name. */
export class PieceWriter {
  private readonly done: Piece[] = [];
  private current: {
    readonly path: string;
    readonly file: FileHandle;
    readonly hash: Hash;
    bytes: number;
  } | null = null;

  constructor(private readonly folder: string) {}

  async write(bytes: Buffer, begins: boolean): Promise<void> {
    if (begins) await this.begin();
    const { current } = this;
    if (current === null) throw new RangeError('the first bytes begin a piece');
    current.hash.update(bytes);
    for (let done = 0; done < bytes.length;) done += (await current.file.write(bytes, done)).bytesWritten;
    current.bytes += bytes.length;
  }

  /** All that were written, in order. */
  async end(): Promise<Piece[]> {
    await this.finish();
    return this.done;
  }

  /** What is half written stays, with a name that is no digest. */
  async close(): Promise<void> {
    await this.current?.file.close();
    this.current = null;
  }

  private async begin(): Promise<void> {
    await this.finish();
    const path = join(this.folder, `piece-${this.done.length}`);
    this.current = { path, file: await open(path, 'wx', 0o600), hash: createHash('sha256'), bytes: 0 };
  }

  private async finish(): Promise<void> {
    const { current } = this;
    if (current === null) return;
    await this.close();
    const sha256 = current.hash.digest('hex');
    await rename(current.path, join(this.folder, sha256));
    this.done.push({ sha256, bytes: current.bytes });
  }
}
