import { AttemptId, Report, type ReportEvent } from '#libs/contracts';
import {
  closeSync,
  createReadStream,
  fdatasync,
  ftruncateSync,
  fsyncSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { AttemptKey } from '../link/coordinator-link.js';

/** Of the log at once, on its way out. */
const READ_BYTES = 1024 * 1024;

const Key = z.strictObject({ attempt: AttemptId, epoch: z.number().int(), token: z.string() });

/**
 * What one attempt has to tell, on disk until the coordinator has it: `attempt.json` (whose it is), `reports` (a report a line, in order) and `log`. What the
 * coordinator already keeps is not noted here: it answers with that, also after a restart.
 */
export class AttemptSpool {
  readonly #journal: number;
  #reports: Report[];
  #journalBytes: number;
  #lastSeq: number;
  #isEnded: boolean;

  private constructor(
    readonly key: AttemptKey,
    private readonly folder: string,
    reports: readonly Report[],
    journalBytes: number,
  ) {
    this.#reports = [...reports];
    this.#lastSeq = reports.length;
    this.#isEnded = reports.some(({ event }) => event.type === 'ended');
    this.#journal = openSync(join(folder, 'reports'), 'a', 0o600);
    // Behind the last whole line there is what a power failure left of another one.
    this.#journalBytes = journalBytes;
    ftruncateSync(this.#journal, journalBytes);
  }

  /** A new attempt's. */
  static async create(root: string, key: AttemptKey): Promise<AttemptSpool> {
    const folder = join(root, key.attempt);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const text = JSON.stringify(Key.parse({ attempt: key.attempt, epoch: key.epoch, token: key.token }));
    await writeFile(join(folder, 'attempt.new'), text, { mode: 0o600, flush: true });
    await rename(join(folder, 'attempt.new'), join(folder, 'attempt.json'));
    const file = openSync(folder, 'r');
    fsyncSync(file);
    closeSync(file);
    return new AttemptSpool(key, folder, [], 0);
  }

  /** What earlier processes left undelivered. What cannot be read is removed, and named by `onDamage`. */
  static async leftovers(
    root: string,
    onDamage: (folder: string, error: Error) => void,
  ): Promise<readonly AttemptSpool[]> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    const spools: AttemptSpool[] = [];
    for (const name of await readdir(root)) {
      const folder = join(root, name);
      try {
        const key = Key.parse(JSON.parse(await readFile(join(folder, 'attempt.json'), 'utf8')));
        const { reports, bytes } = readJournal(join(folder, 'reports'));
        spools.push(new AttemptSpool(key, folder, reports, bytes));
      } catch (error) {
        onDamage(folder, error as Error);
        await rm(folder, { recursive: true, force: true });
      }
    }
    return spools;
  }

  get logPath(): string {
    return join(this.folder, 'log');
  }

  /** Whether the last report is among those that were added. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Adds a report. Where the disk is full it lives as long as this process; `false` says so. */
  add(event: ReportEvent, at: number): boolean {
    const report: Report = { seq: (this.#lastSeq += 1), at, event };
    this.#reports.push(report);
    this.#isEnded ||= event.type === 'ended';
    return this.#append(Buffer.from(`${JSON.stringify(report)}\n`));
  }

  /** In order, those that the coordinator has not acknowledged. */
  pending(most: number): readonly Report[] {
    return this.#reports.slice(0, most);
  }

  acknowledge(seq: number): void {
    this.#reports = this.#reports.filter((report) => report.seq > seq);
  }

  /** What was added before is on disk when this resolves. */
  async sync(): Promise<void> {
    await promisify(fdatasync)(this.#journal);
  }

  async logBytes(): Promise<number> {
    return await stat(this.logPath).then(
      ({ size }) => size,
      () => 0,
    );
  }

  /** So many bytes of the log from `offset` on, which are there. */
  readLog(offset: number, length: number): Readable {
    return createReadStream(this.logPath, {
      start: offset,
      end: offset + length - 1,
      highWaterMark: READ_BYTES,
    });
  }

  /** All is delivered, or nobody wants it. */
  async remove(): Promise<void> {
    closeSync(this.#journal);
    await rm(this.folder, { recursive: true, force: true });
  }

  /** All of it or nothing: half a line would make what comes behind it unreadable. */
  #append(line: Buffer): boolean {
    try {
      for (let at = 0; at < line.length;) at += writeSync(this.#journal, line, at);
      this.#journalBytes += line.length;
      return true;
    } catch {
      ftruncateSync(this.#journal, this.#journalBytes);
      return false;
    }
  }
}

/** Whole lines, up to the first that does not follow the one before it. */
function readJournal(path: string): { readonly reports: readonly Report[]; readonly bytes: number } {
  const text = readIfThere(path);
  const reports: Report[] = [];
  let bytes = 0;
  for (const line of text.split('\n').slice(0, -1)) {
    const report = parseReport(line);
    if (report?.seq !== reports.length + 1) break;
    reports.push(report);
    bytes += Buffer.byteLength(line) + 1;
  }
  return { reports, bytes };
}

function parseReport(line: string): Report | null {
  try {
    return Report.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
