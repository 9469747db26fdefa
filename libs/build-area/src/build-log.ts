import { closeSync, existsSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { LinePiece } from './line-splitter.js';
import { LogRecords, type LoggedPieces, type LogStream } from './log-records.js';

/**
 * The two log files of one build, as distro_const has them: the simple log holds what the console shows (our own lines and the scripts'
 * stderr), the detail log also their stdout. One writer, synchronous: a line is in the file before the next thing happens. What a line looks like is in LogRecords.
 */
export class BuildLog {
  #lost: { readonly bytes: number; readonly reason: string } | null = null;
  readonly #records: LogRecords;
  #files: { readonly simple: number; readonly detail: number } | null = null;

  private constructor(
    readonly simplePath: string,
    readonly detailPath: string,
    now: () => Date,
  ) {
    this.#records = new LogRecords(now);
  }

  /**
   * Starts both files in `folder`, mode 0600, under a name that no other build there has. Whoever calls holds the lock of the build area. On a full
   * disk they are made as soon as there is room: going on with a build is what makes room again.
   */
  static open(folder: string, now: () => Date = () => new Date()): BuildLog {
    const stamp = localStamp(now());
    for (let attempt = 1; ; attempt += 1) {
      const suffix = attempt === 1 ? stamp : `${stamp}-${attempt}`;
      const simplePath = join(folder, `simple-log-${suffix}`);
      if (existsSync(simplePath)) continue;
      const log = new BuildLog(simplePath, join(folder, `detail-log-${suffix}`), now);
      log.#write('detail', Buffer.alloc(0));
      return log;
    }
  }

  /** A line of ours, to both files. */
  note(step: string, text: string): void {
    this.#write('both', this.#records.note(step, text));
  }

  /** A line of ours that only the detail log wants. */
  detailNote(step: string, text: string): void {
    this.#write('detail', this.#records.note(step, text));
  }

  /** Bytes of a script. Returns the pieces of `err`, for a console to show. */
  output(step: string, stream: LogStream, bytes: Uint8Array): readonly LinePiece[] {
    return this.#log(stream, this.#records.output(step, stream, bytes));
  }

  /** Call when a step has ended: writes what stood behind the last newline. */
  endOfStep(step: string): readonly LinePiece[] {
    this.#log('out', this.#records.endOf(step, 'out'));
    return this.#log('err', this.#records.endOf(step, 'err'));
  }

  /** Forces both files to disk, where there still is one. */
  close(): void {
    for (const file of Object.values(this.#files ?? {})) {
      try {
        fsyncSync(file);
      } catch {
        // The same trouble that lost lines before; the build has said how it ended already.
      }
      closeSync(file);
    }
  }

  #log(stream: LogStream, { pieces, bytes }: LoggedPieces): readonly LinePiece[] {
    if (pieces.length === 0) return [];
    this.#write(stream === 'err' ? 'both' : 'detail', bytes);
    return stream === 'err' ? pieces : [];
  }

  /**
   * A disk that is full or gone must not end the build here: the space watch and the next checkpoint do, in better words. What could not be
   * written is counted, and said where the log goes on.
   */
  #write(to: 'both' | 'detail', record: Buffer): void {
    try {
      this.#files ??= openBoth(this.simplePath, this.detailPath);
      const { simple, detail } = this.#files;
      if (this.#lost !== null) {
        const { bytes, reason } = this.#lost;
        writeAll(detail, this.#records.note('-', `${bytes} bytes lost here: ${reason}`));
        this.#lost = null;
      }
      writeAll(detail, record);
      if (to === 'both') writeAll(simple, record);
    } catch (error) {
      const bytes = (this.#lost?.bytes ?? 0) + record.length;
      this.#lost = { bytes, reason: (error as Error).message };
    }
  }
}

function openBoth(simplePath: string, detailPath: string): { simple: number; detail: number } {
  const simple = openSync(simplePath, 'a', 0o600);
  try {
    return { simple, detail: openSync(detailPath, 'a', 0o600) };
  } catch (error) {
    closeSync(simple);
    throw error;
  }
}

function writeAll(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
}

/** `YYYY-MM-DD-HH-MM-SS` in local time, as distro_const named its logs. */
function localStamp(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())];
  return [...date, two(time.getHours()), two(time.getMinutes()), two(time.getSeconds())].join('-');
}
