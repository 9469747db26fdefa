import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { TreeError } from './tree-error.js';

/** A file that holds one blob of a packed tree. */
export interface PieceFile {
  readonly path: string;
  /** Hex. Not checked where it is not given. */
  readonly sha256?: string;
}

interface OpenPiece extends PieceFile {
  readonly file: FileHandle;
  /** Where it begins in the whole. */
  readonly at: number;
  readonly bytes: number;
}

const READ_BYTES = 1024 * 1024;

/** Files, one behind the other, as one. */
export class PieceReader {
  private constructor(private readonly pieces: readonly OpenPiece[]) {}

  /** The caller closes it. */
  static async open(files: readonly PieceFile[]): Promise<PieceReader> {
    const pieces: OpenPiece[] = [];
    try {
      let at = 0;
      for (const piece of files) {
        const file = await open(piece.path);
        pieces.push({ ...piece, file, at, bytes: 0 });
        const { size } = await file.stat();
        pieces[pieces.length - 1] = { ...piece, file, at, bytes: size };
        at += size;
      }
      return new PieceReader(pieces);
    } catch (error) {
      await closeAll(pieces);
      throw error;
    }
  }

  /** Fills the buffer from `position` on, or a part of it, and resolves to how much; 0 at the end. */
  async read(buffer: Buffer, position: number): Promise<number> {
    const piece = this.pieces.findLast(({ at, bytes }) => at <= position && position < at + bytes);
    if (piece === undefined) return 0;
    const { bytesRead } = await piece.file.read(buffer, 0, buffer.length, position - piece.at);
    return bytesRead;
  }

  /** All of it, in memory that is used again for what comes next. Throws TreeError TREE_BROKEN behind the first piece that is not what its digest says. */
  async *bytes(): AsyncGenerator<Buffer> {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (const { file, sha256 } of this.pieces) {
      const hash = sha256 === undefined ? null : createHash('sha256');
      for (let at = 0; ;) {
        const { bytesRead } = await file.read(buffer, 0, READ_BYTES, at);
        if (bytesRead === 0) break;
        const bytes = buffer.subarray(0, bytesRead);
        hash?.update(bytes);
        at += bytesRead;
        yield bytes;
      }
      if (hash !== null && hash.digest('hex') !== sha256)
        throw new TreeError(
          'TREE_BROKEN',
          `a piece of the packed tree is not the blob ${sha256}`,
          'fetch it again',
        );
    }
  }

  async close(): Promise<void> {
    await closeAll(this.pieces);
  }
}

async function closeAll(pieces: readonly OpenPiece[]): Promise<void> {
  await Promise.all(pieces.map(async ({ file }) => await file.close()));
}
