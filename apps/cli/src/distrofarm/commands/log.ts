import type { AttemptView, BuildDetail, JobView } from '#libs/contracts';
import { isAtRest, jobLabels } from '#libs/watch';
import type { Command } from 'commander';
import { AttemptLogs, keepLast } from '../attempt-logs.js';
import { cleaned } from '../cleaned.js';
import { CliError } from '../cli-error.js';
import { example } from '../example.js';
import { EXIT } from '../exit-codes.js';
import { pathOf, type Farm } from '../farm.js';
import { followBuild } from '../follow-build.js';
import type { LogFormat } from '../log-format.js';
import { LogReader } from '../log-reader.js';
import { LogRecords, wanted, type LogFilter, type LogRecord } from '../log-record.js';
import { parseMoment } from '../moments.js';
import { count } from '../options.js';
import type { Session } from '../session.js';
import { writeRecord } from '../write-record.js';

interface LogOptions {
  readonly follow?: boolean;
  readonly step?: string;
  readonly attempt?: number;
  readonly job?: string;
  readonly since?: string;
  readonly tail?: number;
  readonly grep?: string;
  readonly timestamps: boolean;
  readonly raw?: boolean;
}

export function log(command: Command, session: Session): void {
  example(
    command
      .argument('[build]', 'id, the beginning of one, "latest", or the id of an attempt', 'latest')
      .option('-f, --follow', 'go on until the build comes to rest')
      .option('-s, --step <step>', 'only this step, by name or number')
      .option('-a, --attempt <number>', 'this attempt of each job, not the newest', count)
      .option('-j, --job <lane>', 'only this lane, as "distrofarm show" names it')
      .option('--since <when>', 'only what was written since: 10m, 2h, or a time')
      .option('-n, --tail <lines>', 'only the last lines of each job', count)
      .option('-g, --grep <regex>', 'only lines in which this regular expression is found')
      .option('--no-timestamps', 'without the time of each line')
      .option('--raw', "the scripts' own bytes, and nothing else"),
    'distrofarm log latest --step im-pop --tail 50',
    'distrofarm log latest --follow',
  ).action(async (reference: string, options: LogOptions) => {
    const farm = await session.farm();
    const plain = filterOf(session, options, null);
    if (reference.startsWith('t-'))
      return await new LogPrinter(session, farm, options, plain).print(reference, '');
    const build = cleaned(await farm.get<BuildDetail>(pathOf`/builds/${reference}`));
    const jobs = chosenJobs(build, options);
    const filter = filterOf(
      session,
      options,
      options.step === undefined ? null : stepName(build, options.step),
    );
    if (options.follow === true && !isAtRest(build))
      return await follow(session, farm, build, jobs, options, filter);
    await printNewest(session, farm, build, jobs, options, filter);
  });
}

/** One job behind the other, as they stand in the plan. */
async function printNewest(
  session: Session,
  farm: Farm,
  build: BuildDetail,
  jobs: readonly JobView[],
  options: LogOptions,
  filter: LogFilter,
): Promise<void> {
  const labels = jobLabels(build);
  const printer = new LogPrinter(session, farm, options, filter);
  const begun = jobs.flatMap((job) => {
    const attempt = chosenAttempt(job, options);
    return attempt === undefined ? [] : [{ label: labels.get(job.id) ?? job.lane, attempt }];
  });
  if (begun.length === 0) throw new CliError(EXIT.notFound, nothingWritten(build, options));
  for (const { label, attempt } of begun) {
    const head = `==> ${label}, attempt ${attempt.number} on ${attempt.agentName} <==`;
    if (begun.length > 1 && printer.format.kind === 'text') await session.print(session.colours.bold(head));
    await printer.print(attempt.id, begun.length > 1 && printer.format.kind === 'json' ? label : '');
  }
}

function nothingWritten({ id }: BuildDetail, { attempt }: LogOptions): string {
  return attempt === undefined
    ? `no job of ${id} has started: there is no log`
    : `no job of ${id} has an attempt ${attempt}`;
}

async function follow(
  session: Session,
  farm: Farm,
  build: BuildDetail,
  jobs: readonly JobView[],
  options: LogOptions,
  filter: LogFilter,
): Promise<void> {
  const ids = new Set(jobs.map(({ id }) => id));
  const logs = new AttemptLogs(session, farm, {
    wants: (record) => wanted(filter, record),
    wantsJob: ({ id }) => ids.has(id),
    format: formatOf(session, options),
    tail: options.tail ?? null,
    signal: session.io.signal,
  });
  const newest = new Map(jobs.map((job) => [job.id, job.attempts.at(-1)?.number ?? 0]));
  const wantsAttempt = ({ job, number }: AttemptView): boolean => {
    return options.attempt === undefined ? number >= (newest.get(job) ?? 0) : number === options.attempt;
  };
  try {
    await followBuild(
      farm,
      build,
      {
        build: (seen) => logs.follow(seen, wantsAttempt),
        event: () => undefined,
        // The readers of the logs tell it themselves.
        connection: () => undefined,
      },
      session.io.signal,
    );
    await logs.ended();
  } catch (error) {
    if (!session.io.signal.aborted) throw error;
    await session.note(`Left; the build goes on. Follow it again with: distrofarm log ${build.id} --follow`);
    session.fail(EXIT.interrupted);
  }
}

/** Prints what is wanted of whole logs. */
class LogPrinter {
  readonly format: LogFormat;

  constructor(
    private readonly session: Session,
    private readonly farm: Farm,
    private readonly options: LogOptions,
    private readonly filter: LogFilter,
  ) {
    this.format = formatOf(session, options);
  }

  async print(attempt: string, label: string): Promise<void> {
    const { tail, follow: toTheEnd } = this.options;
    const last: LogRecord[] = [];
    for await (const records of this.#records(attempt, toTheEnd === true)) {
      if (tail !== undefined) keepLast(last, tail, records);
      else await this.#write(records, label);
    }
    await this.#write(last, label);
  }

  async *#records(attempt: string, toTheEnd: boolean): AsyncGenerator<readonly LogRecord[]> {
    const { session, farm, filter } = this;
    const records = new LogRecords();
    const reader = new LogReader(farm, attempt, session.io.signal);
    const chosen = (some: Iterable<LogRecord>): LogRecord[] =>
      [...some].filter((record) => wanted(filter, record));
    for await (const chunk of reader.read(toTheEnd)) yield chosen(records.push(chunk));
    yield chosen(records.end());
    if (reader.gap !== null) await session.note(reader.gap);
  }

  async #write(records: readonly LogRecord[], label: string): Promise<void> {
    for (const record of records) await writeRecord(this.session, record, this.format, label);
  }
}

function formatOf({ json }: Session, { raw, timestamps }: LogOptions): LogFormat {
  if (json) return { kind: 'json' };
  return raw === true ? { kind: 'raw' } : { kind: 'text', timestamps };
}

function chosenJobs(build: BuildDetail, { job: lane, step }: LogOptions): readonly JobView[] {
  const labels = jobLabels(build);
  const named = build.jobs.filter(
    (job) => lane === undefined || lane === job.lane || lane === labels.get(job.id),
  );
  if (named.length === 0) {
    const known = [...labels.values()].join(', ');
    throw new CliError(EXIT.notFound, `${build.id} has no job "${lane ?? ''}"`, `Its jobs are: ${known}.`);
  }
  if (step === undefined) return named;
  const name = stepName(build, step);
  return named.filter((job) => job.steps.some((each) => each.name === name));
}

/** A number is the step's place in the manifest. */
function stepName(build: BuildDetail, step: string): string {
  const steps = build.jobs.flatMap((job) => job.steps);
  const found = steps.find(({ name, index }) => name === step || String(index) === step);
  if (found !== undefined) return found.name;
  const known = [...new Set(steps.map(({ name }) => name))].join(', ');
  throw new CliError(EXIT.notFound, `${build.id} has no step "${step}"`, `Its steps are: ${known}.`);
}

function chosenAttempt(job: JobView, { attempt: number }: LogOptions): AttemptView | undefined {
  return number === undefined
    ? job.attempts.at(-1)
    : job.attempts.find((attempt) => attempt.number === number);
}

function filterOf({ io }: Session, { since, grep }: LogOptions, step: string | null): LogFilter {
  const from = since === undefined ? null : parseMoment(since, io.now());
  if (since !== undefined && from === null) {
    throw new CliError(
      EXIT.usage,
      `--since: "${since}" is no time`,
      'Give how long ago (10m, 2h) or a time (2026-11-24T10:00:00Z).',
    );
  }
  return { step, since: from, grep: grep === undefined ? null : regex(grep) };
}

function regex(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new CliError(EXIT.usage, `--grep: ${(error as Error).message}`);
  }
}
