import type { BuildPage, BuildSummary } from '#libs/contracts';
import { formatDuration } from '#libs/watch';
import { type Command, Option } from 'commander';
import { CliError } from '../cli-error.js';
import { example } from '../example.js';
import { EXIT } from '../exit-codes.js';
import { queryOf } from '../farm.js';
import { dateTime, parseMoment } from '../moments.js';
import { count } from '../options.js';
import { stateColour } from '../state-colour.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

interface ListOptions {
  readonly state?: readonly string[];
  readonly user?: string;
  readonly mine?: boolean;
  readonly name?: string;
  readonly since?: string;
  readonly limit: number;
  readonly all?: boolean;
  readonly ids?: boolean;
}

const PAGE = 200;
const STATES = ['waiting', 'running', 'paused', 'succeeded', 'failed', 'cancelled'];

export function list(command: Command, session: Session): void {
  example(
    command
      .addOption(new Option('-s, --state <state...>', 'only builds in these states').choices(STATES))
      .option('-u, --user <user>', 'only those of this user')
      .option('-m, --mine', 'only your own')
      .option('-n, --name <name>', 'only of this distribution')
      .option('--since <when>', 'only those submitted since: 2h, 3d, or a date')
      .option('--limit <count>', 'at most so many', count, 20)
      .option('--all', 'all of them')
      .option('-q, --ids', 'only their ids, for other commands to read'),
    'distrofarm list --state running',
    'distrofarm list --mine --state waiting --ids | distrofarm cancel -',
  ).action(async (options: ListOptions) => {
    const builds = await findBuilds(session, options);
    if (session.json) return await session.printJson(builds);
    if (options.ids === true) return await session.print(...builds.builds.map(({ id }) => id));
    await session.show(builds, (page) => buildTable(session, page));
  });
}

/** The API's page; with more than one page, all of them as one. */
async function findBuilds(session: Session, options: ListOptions): Promise<BuildPage> {
  const farm = await session.farm();
  const { since } = options;
  const after = since === undefined ? undefined : parseMoment(since, session.io.now());
  if (after === null) {
    throw new CliError(
      EXIT.usage,
      `--since: "${since ?? ''}" is no time`,
      'Give how long ago (30m, 2h, 3d) or a date (2026-11-24).',
    );
  }
  const user = options.mine === true ? (await farm.get<{ user: string }>('/whoami')).user : options.user;
  const limit = options.all === true ? Infinity : options.limit;
  const builds: BuildSummary[] = [];
  let cursor: string | null = null;
  do {
    const query = queryOf({
      state: options.state,
      user,
      name: options.name,
      since: after,
      limit: Math.min(PAGE, limit - builds.length),
      cursor: cursor ?? undefined,
    });
    const page: BuildPage = await farm.get<BuildPage>(`/builds${query}`);
    builds.push(...page.builds);
    cursor = page.next;
  } while (cursor !== null && builds.length < limit);
  return { builds, next: cursor };
}

function buildTable(session: Session, { builds, next }: BuildPage): readonly string[] {
  if (builds.length === 0) return ['There is no such build.'];
  const rows = builds.map((build) => [
    build.id,
    build.name,
    stateColour(session.colours, build.state)(build.state),
    `${build.steps.done}/${build.steps.total}`,
    build.user,
    dateTime(build.createdAt),
    tookOf(build, session.io.now()),
    [build.summary === build.state ? '' : build.summary, build.note === '' ? '' : `(${build.note})`]
      .filter((part) => part !== '')
      .join(' '),
  ]);
  const head = ['BUILD', 'NAME', 'STATE', 'STEPS', 'USER', 'SUBMITTED', 'TOOK', ''];
  return [...textTable(head, rows), ...(next === null ? [] : ['There are more: --all, or --limit.'])];
}

function tookOf({ startedAt, endedAt }: BuildSummary, now: number): string {
  return startedAt === null ? '-' : formatDuration((endedAt ?? now) - startedAt);
}
