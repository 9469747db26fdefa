import { LogRecords, type LogStream } from '#libs/build-area';
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';

/** Room for the line that says how much was lost. */
const LAST_LINE_BYTES = 256;

/**
 * The log of one attempt, in the spool. One writer, synchronous: a step waits for the disk at the most, never for the network. What does not fit is counted, and
 * a line says so.
 */
export class AttemptLog {
  readonly #file: number;
  readonly #records: LogRecords;
  #bytes: number;
  #lostBytes = 0;
  #lostBecause = '';

  constructor(
    path: string,
    private readonly maxBytes: number,
    /** Told after each write. */
    private readonly onGrowth: () => void,
    now: () => Date = () => new Date(),
  ) {
    this.#file = openSync(path, 'a', 0o600);
    this.#bytes = fstatSync(this.#file).size;
    this.#records = new LogRecords(now);
  }

  /** Bytes in the file. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A line of ours. */
  note(step: string, text: string): void {
    this.#add(this.#records.note(step, text));
  }

  output(step: string, stream: LogStream, bytes: Uint8Array): void {
    this.#add(this.#records.output(step, stream, bytes).bytes);
  }

  endOfStep(step: string): void {
    for (const stream of ['out', 'err'] as const) this.#add(this.#records.endOf(step, stream).bytes);
  }

  /** Nothing can be logged any more. */
  close(): void {
    this.#tellLoss();
    closeSync(this.#file);
  }

  #add(record: Buffer): void {
    if (record.length === 0) return;
    if (this.#bytes + record.length > this.maxBytes - LAST_LINE_BYTES) {
      this.#lose(record.length, `the log of an attempt is limited to ${this.maxBytes} bytes`);
      return;
    }
    this.#tellLoss();
    this.#write(record);
  }

  #tellLoss(): void {
    if (this.#lostBytes === 0) return;
    const line = this.#records.note('-', `${this.#lostBytes} bytes lost here: ${this.#lostBecause}`);
    this.#lostBytes = 0;
    this.#write(line);
  }

  /** A full disk must not end the step here: the space watch does, in better words. */
  #write(record: Buffer): void {
    let written = 0;
    try {
      while (written < record.length) written += writeSync(this.#file, record, written);
    } catch (error) {
      this.#lose(record.length - written, (error as Error).message);
    }
    this.#bytes += written;
    this.onGrowth();
  }

  #lose(bytes: number, because: string): void {
    this.#lostBytes += bytes;
    this.#lostBecause = because;
  }
}
