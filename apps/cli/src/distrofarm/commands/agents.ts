import type { AgentHistory, AgentView, Enrolment } from '#libs/contracts';
import { describeAgentChange, describeEnd, formatBytes, formatDuration } from '#libs/watch';
import type { Command } from 'commander';
import { example } from '../example.js';
import { pathOf, queryOf } from '../farm.js';
import { forEach, idsOf } from '../ids.js';
import { ago, dateTime } from '../moments.js';
import { count, duration } from '../options.js';
import { stateColour } from '../state-colour.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

const IDS = 'names or ids, or "-" to read them from standard input';

export function agents(command: Command, session: Session): void {
  list(command.command('list').description('all of them, and what they do'), session);
  show(command.command('show').description('one of them in full'), session);
  history(
    command.command('history').description('what one ran, and what became of it, newest first'),
    session,
  );
  enrol(
    command.command('enrol').description('a one-use token, and the command to run on the new host'),
    session,
  );
  drain(
    command
      .command('drain')
      .description('take nothing new, and hand over what it runs at the next checkpoint'),
    session,
  );
  undrain(command.command('undrain').description('take work again'), session);
  pause(command.command('pause').description('take nothing new for a while'), session);
  unpause(command.command('unpause').description('end a pause'), session);
  revoke(
    command.command('revoke').description('never let it in again; what it runs goes elsewhere'),
    session,
  );
}

function list(command: Command, session: Session): void {
  example(
    command.option('-q, --ids', 'only their names, for other commands to read'),
    'distrofarm agents list',
  ).action(async ({ ids }: { readonly ids?: boolean }) => {
    const farm = await session.farm();
    const answer = await farm.get<{ readonly agents: readonly AgentView[] }>('/agents');
    await session.show(answer, (found) => {
      if (ids === true) return found.agents.map(({ name }) => name);
      return found.agents.length === 0
        ? ['There are none. Add one with: distrofarm agents enrol']
        : agentTable(session, found.agents);
    });
  });
}

function agentTable({ colours, io }: Session, found: readonly AgentView[]): readonly string[] {
  const rows = found.map((agent) => [
    agent.name,
    stateColour(colours, agent.state)(agent.state),
    `${agent.running.length}/${agent.facts.slots}`,
    agent.facts.architectures.join(','),
    agent.facts.store.kind,
    formatBytes(agent.facts.freeBytes),
    agent.load === null ? '-' : agent.load.cpu.toFixed(2),
    ago(agent.lastSeenAt, io.now()),
    agent.reason === '' ? runningLine(agent) : agent.reason,
  ]);
  return textTable(['AGENT', 'STATE', 'RUNS', 'BUILDS FOR', 'STORE', 'FREE', 'LOAD', 'SEEN', ''], rows);
}

function runningLine({ running }: AgentView): string {
  return running
    .map(({ build, lane, step }) => `${build} ${lane}${step === null ? '' : ` ${step}`}`)
    .join(', ');
}

function show(command: Command, session: Session): void {
  example(command.argument('<agent>', 'name or id'), 'distrofarm agents show builder-1').action(
    async (reference: string) => {
      const farm = await session.farm();
      await session.show(await farm.get<AgentView>(pathOf`/agents/${reference}`), (agent) =>
        agentLines(session, agent),
      );
    },
  );
}

function agentLines({ colours, io }: Session, agent: AgentView): readonly string[] {
  const { facts, load } = agent;
  const until = agent.pausedUntil === null ? '' : ` until ${dateTime(agent.pausedUntil)}`;
  const tools = Object.entries(facts.tools).map(([tool, says]) => ['', `${tool}: ${says}`] as const);
  const running = agent.running.map(
    ({ attempt, build, lane, step, renewedAt }) =>
      [
        'Runs',
        `${build} ${lane}, ${step ?? 'between steps'} (${attempt}), lease renewed ${ago(renewedAt, io.now())}`,
      ] as const,
  );
  const lines: readonly (readonly [string, string])[] = [
    ['Agent', `${agent.name} (${agent.id}) on ${facts.hostname}, version ${facts.version}`],
    [
      'State',
      `${stateColour(colours, agent.state)(agent.state)}${until}${agent.reason === '' ? '' : `: ${agent.reason}`}`,
    ],
    ['Seen', `${ago(agent.lastSeenAt, io.now())}, enrolled ${dateTime(agent.enrolledAt)}`],
    ...running,
    ['Slots', String(facts.slots)],
    ['Builds for', facts.architectures.join(', ')],
    ['Labels', facts.labels.join(', ') || '-'],
    [
      'Store',
      `${facts.store.description}${facts.store.abilities.length === 0 ? '' : `; can ${facts.store.abilities.join(', ')}`}`,
    ],
    [
      'Space',
      `${formatBytes(facts.freeBytes)} free, ${formatBytes(facts.usedBytes)} used, ${agent.checkpoints} checkpoints`,
    ],
    [
      'Load',
      load === null
        ? '-'
        : `${load.cpu.toFixed(2)} per processor, ${formatBytes(load.freeMemoryBytes)} of memory free`,
    ],
    ['Tools', tools.length === 0 ? '-' : `${tools.length}`],
    ...tools,
  ];
  return textTable([], lines);
}

function history(command: Command, session: Session): void {
  example(
    command
      .argument('<agent>', 'name or id')
      .option('--limit <count>', 'at most so many', count, 50)
      .option('--cursor <cursor>', 'behind those of an earlier answer'),
    'distrofarm agents history builder-1 --limit 20',
  ).action(
    async (reference: string, { limit, cursor }: { readonly limit: number; readonly cursor?: string }) => {
      const farm = await session.farm();
      const answer = await farm.get<AgentHistory>(
        `${pathOf`/agents/${reference}/history`}${queryOf({ limit, cursor })}`,
      );
      await session.show(answer, ({ entries, next }) => [
        ...textTable(
          ['WHEN', 'WHAT', 'TOOK', 'HOW IT ENDED'],
          entries.map((entry) => historyRow(entry, session.io.now())),
        ),
        ...(next === null ? [] : [`There are more: distrofarm agents history ${reference} --cursor ${next}`]),
      ]);
    },
  );
}

function historyRow(entry: AgentHistory['entries'][number], now: number): readonly string[] {
  if (entry.kind === 'change') {
    const until = entry.until === null ? '' : ` until ${dateTime(entry.until)}`;
    return [dateTime(entry.at), `${describeAgentChange(entry)}${until}`, '', ''];
  }
  const { at, build, name, variant, lane, number, startedAt, endedAt, end, phase, state, steps } = entry;
  const part = variant === 'default' ? lane : `${variant}/${lane}`;
  return [
    dateTime(at),
    `ran ${part}${number > 1 ? ` (attempt ${number})` : ''} of ${name} ${build}`,
    startedAt === null ? '-' : formatDuration((endedAt ?? now) - startedAt),
    end === null ? (phase ?? state) : describeEnd(end, { steps }),
  ];
}

function enrol(command: Command, session: Session): void {
  example(
    command
      .option('--name <name>', 'the name it must take; else it says one itself')
      .option('--expires <duration>', 'how long the token is good for', duration, 3_600_000),
    'distrofarm agents enrol --name builder-2',
  ).action(async ({ name, expires }: { readonly name?: string; readonly expires: number }) => {
    const farm = await session.farm();
    const body = { name: name ?? null, expiresInSeconds: Math.round(expires / 1000) };
    const answer = await farm.post<Enrolment>('/agents/enrolments', body);
    await session.show(answer, ({ command: toRun, expiresAt }) => [
      `Run this on the new host, as root, before ${dateTime(expiresAt)}:`,
      '',
      `  ${toRun}`,
      '',
      'It works once. See that the agent came with: distrofarm agents list',
    ]);
  });
}

/** Tells the farm about each, and the state it then has. */
async function change(
  session: Session,
  named: readonly string[],
  action: string,
  body: object,
): Promise<void> {
  const farm = await session.farm();
  await forEach(session, await idsOf(session, named), async (agent) => {
    await session.show(
      await farm.post<AgentView>(pathOf`/agents/${agent}/${action}`, body),
      ({ name, state, reason }) => [`${name} is ${state}${reason === '' ? '' : `: ${reason}`}`],
    );
  });
}

function drain(command: Command, session: Session): void {
  example(
    command
      .argument('<agent...>', IDS)
      .option('--let-finish', 'its jobs go on to their ends there')
      .option('--why <text>', 'for the others to read'),
    'distrofarm agents drain builder-1 --why "new disks"',
  ).action(
    async (named: readonly string[], options: { readonly letFinish?: boolean; readonly why?: string }) => {
      await change(session, named, 'drain', {
        why: options.why ?? '',
        letFinish: options.letFinish ?? false,
      });
    },
  );
}

function undrain(command: Command, session: Session): void {
  example(command.argument('<agent...>', IDS), 'distrofarm agents undrain builder-1').action(
    async (named: readonly string[]) => {
      await change(session, named, 'undrain', {});
    },
  );
}

function pause(command: Command, session: Session): void {
  example(
    command
      .argument('<agent...>', IDS)
      .requiredOption('--why <text>', 'for the others to read')
      .option('--for <duration>', 'until then; else until unpaused', duration),
    'distrofarm agents pause builder-1 --why "firmware update" --for 2h',
  ).action(async (named: readonly string[], options: { readonly why: string; readonly for?: number }) => {
    const untilSeconds = options.for === undefined ? null : Math.max(1, Math.round(options.for / 1000));
    await change(session, named, 'pause', { why: options.why, untilSeconds });
  });
}

function unpause(command: Command, session: Session): void {
  example(command.argument('<agent...>', IDS), 'distrofarm agents unpause builder-1').action(
    async (named: readonly string[]) => {
      await change(session, named, 'unpause', {});
    },
  );
}

function revoke(command: Command, session: Session): void {
  example(
    command
      .argument('<agent...>', IDS)
      .option('--why <text>', 'for the audit')
      .option('-y, --yes', 'do not ask'),
    'distrofarm agents revoke builder-1 --why "sold" --yes',
  ).action(
    async (named: readonly string[], { why, yes }: { readonly why?: string; readonly yes?: boolean }) => {
      await session.confirm(
        `Revoke ${named.join(', ')}? Its checkpoints are lost to the farm.`,
        yes === true,
      );
      await change(session, named, 'revoke', { why: why ?? '' });
    },
  );
}
