import { neutralise } from '../distro-const/neutralise.js';
import type { AttemptView, BuildDetail, JobView } from '#libs/contracts';
import { jobLabels } from '#libs/watch';
import type { Farm } from './farm.js';
import { LogReader } from './log-reader.js';
import { LogRecords, type LogRecord } from './log-record.js';
import type { LogFormat } from './log-format.js';
import type { Session } from './session.js';
import { writeRecord } from './write-record.js';

export interface AttemptLogsOptions {
  readonly wants: (record: LogRecord) => boolean;
  readonly signal: AbortSignal;
  readonly format?: LogFormat;
  /** Of what is there already, only so many records per attempt. */
  readonly tail?: number | null;
  readonly wantsJob?: (job: JobView) => boolean;
}

/** The logs of several attempts at the same time, line by line, each line with its lane. */
export class AttemptLogs {
  readonly #readers = new Map<string, Promise<void>>();
  readonly #lost = new Set<string>();
  #failure: Error | null = null;

  constructor(
    private readonly session: Session,
    private readonly farm: Farm,
    private readonly options: AttemptLogsOptions,
  ) {}

  /** What was over before the watching began is not read. */
  ignoreEnded(build: BuildDetail): void {
    const attempts = build.jobs.flatMap((job) => job.attempts);
    for (const { id, state } of attempts) if (state === 'ended') this.#readers.set(id, Promise.resolve());
  }

  /** Starts on those attempts of the build that it does not read yet. */
  follow(build: BuildDetail, wantsAttempt: (attempt: AttemptView) => boolean = () => true): void {
    const labels = jobLabels(build);
    const several = build.jobs.length > 1;
    for (const job of build.jobs.filter(this.options.wantsJob ?? (() => true))) {
      for (const attempt of job.attempts.filter(wantsAttempt)) {
        if (this.#readers.has(attempt.id)) continue;
        const label = several ? (labels.get(job.id) ?? job.lane) : '';
        const reading = this.#read(attempt, label).catch((error: unknown) => {
          if (!this.options.signal.aborted) this.#failure ??= error as Error;
        });
        this.#readers.set(attempt.id, reading);
      }
    }
  }

  /** When all logs are whole. Throws what kept one from being read. */
  async ended(): Promise<void> {
    await Promise.all(this.#readers.values());
    this.options.signal.throwIfAborted();
    if (this.#failure !== null) throw this.#failure;
  }

  async #read(attempt: AttemptView, label: string): Promise<void> {
    const { signal, tail = null } = this.options;
    const reader = new LogReader(this.farm, attempt.id, signal, (lost) => this.#tell(attempt.id, lost));
    const records = new LogRecords();
    if (tail !== null) {
      const last: LogRecord[] = [];
      for await (const chunk of reader.read(false)) keepLast(last, tail, this.#wanted(records.push(chunk)));
      for (const record of last) await this.#print(record, label);
    }
    for await (const chunk of reader.read(true)) {
      for (const record of this.#wanted(records.push(chunk))) await this.#print(record, label);
    }
    for (const record of this.#wanted(records.end())) await this.#print(record, label);
    if (reader.gap !== null) await this.session.note(reader.gap);
  }

  /** All readers lose the same connection: it is told once. */
  #tell(attempt: string, lost: string | null): void {
    const before = this.#lost.size;
    if (lost === null) this.#lost.delete(attempt);
    else this.#lost.add(attempt);
    if (before === 0 && lost !== null)
      void this.session.note(`not connected: ${neutralise(lost)}; trying again`);
    if (before > 0 && this.#lost.size === 0) void this.session.note('connected again');
  }

  *#wanted(records: Iterable<LogRecord>): Generator<LogRecord> {
    for (const record of records) if (this.options.wants(record)) yield record;
  }

  async #print(record: LogRecord, label: string): Promise<void> {
    const { session, options } = this;
    const format = options.format ?? { kind: 'text', timestamps: true };
    await writeRecord(session, record, format, label);
  }
}

/** Adds to `last`, which never holds more than `count`. */
export function keepLast(last: LogRecord[], count: number, records: Iterable<LogRecord>): void {
  for (const record of records) {
    last.push(record);
    if (last.length > count) last.shift();
  }
}
