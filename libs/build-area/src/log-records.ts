import { LineSplitter, type LinePiece } from './line-splitter.js';

export type LogStream = 'out' | 'err';

/** Pieces of a script's output, and the records they became. */
export interface LoggedPieces {
  readonly pieces: readonly LinePiece[];
  readonly bytes: Buffer;
}

/**
 * The lines of a build's log. Every record is one line: `<ISO time> <step> <stream>| <bytes>`. Stream is `out` or `err` of the script, or `dc ` for our own
 * lines. `>` instead of `|` means that no newline followed in the original, so the payloads in order give back the stream byte for byte.
 */
export class LogRecords {
  readonly #splitters = { out: new LineSplitter(), err: new LineSplitter() };

  constructor(private readonly now: () => Date) {}

  /** A record of ours for each line of the text. */
  note(step: string, text: string): Buffer {
    const lines = text.split('\n').map((line) => ({ bytes: Buffer.from(line), complete: true }));
    return this.#records(step, 'dc ', lines);
  }

  /** Bytes of a script. What stands behind the last newline waits for more. */
  output(step: string, stream: LogStream, bytes: Uint8Array): LoggedPieces {
    const pieces = this.#splitters[stream].push(bytes);
    return { pieces, bytes: this.#records(step, stream, pieces) };
  }

  /** What is left of the stream when the step has ended. */
  endOf(step: string, stream: LogStream): LoggedPieces {
    const pieces = this.#splitters[stream].end();
    return { pieces, bytes: this.#records(step, stream, pieces) };
  }

  #records(step: string, stream: string, pieces: readonly LinePiece[]): Buffer {
    return Buffer.concat(pieces.flatMap((piece) => this.#record(step, stream, piece)));
  }

  #record(step: string, stream: string, { bytes, complete }: LinePiece): readonly Uint8Array[] {
    const head = `${this.now().toISOString()} ${step} ${stream}${complete ? '|' : '>'} `;
    return [Buffer.from(head), bytes, NEWLINE];
  }
}

const NEWLINE = Buffer.from('\n');
