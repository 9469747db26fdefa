/** A line, or a piece of one that is longer than `MAX_LINE_BYTES` or ended without a newline. */
export interface LinePiece {
  /** Without the newline. */
  readonly bytes: Uint8Array;
  /** False: the line goes on in the next piece, or the stream ended inside it. */
  readonly complete: boolean;
}

/** Longer lines are passed on in pieces, so that no output can fill the memory. */
export const MAX_LINE_BYTES = 64 * 1024;

const NEWLINE = 0x0a;

/** Cuts a stream of bytes into lines without changing or losing a byte. One per stream. */
export class LineSplitter {
  #pending = Buffer.alloc(0);

  push(bytes: Uint8Array): LinePiece[] {
    const input = Buffer.concat([this.#pending, bytes]);
    const pieces: LinePiece[] = [];
    let start = 0;
    for (let end = input.indexOf(NEWLINE); end >= 0; end = input.indexOf(NEWLINE, start)) {
      pieces.push(...inPieces(input.subarray(start, end), true));
      start = end + 1;
    }
    const rest = input.subarray(start);
    const cut = rest.length - (rest.length % MAX_LINE_BYTES);
    pieces.push(...inPieces(rest.subarray(0, cut), false));
    this.#pending = rest.subarray(cut);
    return pieces;
  }

  /** What is left when the stream has ended. */
  end(): LinePiece[] {
    const rest = this.#pending;
    this.#pending = Buffer.alloc(0);
    return rest.length === 0 ? [] : [{ bytes: rest, complete: false }];
  }
}

function inPieces(line: Buffer, complete: boolean): LinePiece[] {
  if (line.length <= MAX_LINE_BYTES) return line.length === 0 && !complete ? [] : [{ bytes: line, complete }];
  const head = line.subarray(0, MAX_LINE_BYTES);
  return [{ bytes: head, complete: false }, ...inPieces(line.subarray(MAX_LINE_BYTES), complete)];
}
