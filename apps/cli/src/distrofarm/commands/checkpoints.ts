import type {
  AreaList,
  CheckpointPinList,
  CheckpointView,
  CollectionReport,
  DropReport,
} from '#libs/contracts';
import type { Command } from 'commander';
import { formatBytes } from '#libs/watch';
import { CliError } from '../cli-error.js';
import { example } from '../example.js';
import { EXIT } from '../exit-codes.js';
import { pathOf, queryOf } from '../farm.js';
import { dateTime } from '../moments.js';
import { byteCount } from '../options.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

export function checkpoints(command: Command, session: Session): void {
  list(command.command('list').description('what agents say their stores hold'), session);
  usage(
    command
      .command('usage')
      .description('the same by build and variant: what each takes, and as what it may go'),
    session,
  );
  pins(command.command('pins').description('what people keep, whatever policies say'), session);
  pin(command.command('pin').description('keep what agents hold of a build'), session);
  unpin(command.command('unpin').description('leave it to the policies again'), session);
  drop(command.command('drop').description('remove what agents hold of a build'), session);
  collect(command.command('collect').description('remove now what policies remove'), session);
}

interface Filter {
  readonly build?: string;
  readonly agent?: string;
}

function withFilter(command: Command): Command {
  return command
    .option('-b, --build <build>', 'only of this build')
    .option('-a, --agent <agent>', 'only on this agent');
}

function list(command: Command, session: Session): void {
  example(withFilter(command), 'distrofarm checkpoints list --build latest').action(
    async ({ build, agent }: Filter) => {
      const farm = await session.farm();
      const answer = await farm.get<{ readonly checkpoints: readonly CheckpointView[] }>(
        `/checkpoints${queryOf({ build, agent })}`,
      );
      await session.show(answer, ({ checkpoints: found }) => {
        if (found.length === 0) return ['There are none.'];
        const rows = found.map((each) => {
          return [
            each.build,
            each.variant,
            each.lane,
            each.before ?? '(end)',
            each.agentName,
            dateTime(each.takenAt),
            each.id,
            each.pinned ? 'pinned' : '',
          ];
        });
        return textTable(['BUILD', 'VARIANT', 'LANE', 'BEFORE STEP', 'AGENT', 'TAKEN', 'ID', ''], rows);
      });
    },
  );
}

function usage(command: Command, session: Session): void {
  example(withFilter(command), 'distrofarm checkpoints usage --agent builder-1').action(
    async ({ build, agent }: Filter) => {
      const farm = await session.farm();
      const answer = await farm.get<AreaList>(`/checkpoints/areas${queryOf({ build, agent })}`);
      await session.show(answer, ({ areas }) =>
        areas.length === 0 ? ['There are none.'] : areaTable(areas),
      );
    },
  );
}

function areaTable(areas: AreaList['areas']): readonly string[] {
  const rows = areas.map((area) => [
    area.build,
    area.variant,
    area.name,
    area.agentName,
    String(area.checkpoints),
    sizeOf(area.usedBytes),
    dateTime(area.newestAt),
    area.going ? 'goes now' : area.pinned ? 'pinned' : area.inUse ? 'in use' : (area.as ?? 'stays'),
  ]);
  return textTable(['BUILD', 'VARIANT', 'OF', 'AGENT', 'CHECKPOINTS', 'TAKES', 'NEWEST', 'GOES AS'], rows);
}

function sizeOf(bytes: number | null): string {
  return bytes === null ? '?' : formatBytes(bytes);
}

function pins(command: Command, session: Session): void {
  example(command, 'distrofarm checkpoints pins').action(async () => {
    const farm = await session.farm();
    await session.show(await farm.get<CheckpointPinList>('/checkpoints/pins'), pinTable);
  });
}

function pinTable({ pins: found }: CheckpointPinList): readonly string[] {
  if (found.length === 0) return ['Nothing is pinned.'];
  const rows = found.map((each) => [
    each.build,
    each.variant ?? '(all)',
    each.user,
    dateTime(each.pinnedAt),
    each.why,
  ]);
  return textTable(['BUILD', 'VARIANT', 'PINNED BY', 'AT', ''], rows);
}

function pin(command: Command, session: Session): void {
  withPinning(command, 'distrofarm checkpoints pin latest --why "the release"', session, 'pin');
}

function unpin(command: Command, session: Session): void {
  withPinning(command, 'distrofarm checkpoints unpin b-8f3kq2m1tz', session, 'unpin');
}

/** Shows what is pinned of the build then. */
function withPinning(command: Command, line: string, session: Session, action: 'pin' | 'unpin'): void {
  example(
    command
      .argument('<build>', 'id, the beginning of one, or "latest"')
      .option('--variant <name>', 'only this variant')
      .option('--why <text>', 'for the others to read'),
    line,
  ).action(
    async (reference: string, { variant, why }: { readonly variant?: string; readonly why?: string }) => {
      const farm = await session.farm();
      const path = pathOf`/checkpoints/${reference}/${action}`;
      const body = { variant: variant ?? null, why: why ?? '' };
      await session.show(await farm.post<CheckpointPinList>(path, body), pinTable);
    },
  );
}

interface DropOptions {
  readonly dryRun?: boolean;
  readonly variant?: string;
  readonly agent?: string;
  readonly why?: string;
}

function drop(command: Command, session: Session): void {
  example(
    command
      .argument('<build>', 'id, the beginning of one, or "latest"')
      .option('-n, --dry-run', 'only show what would go, and what not')
      .option('--variant <name>', 'only of this variant')
      .option('-a, --agent <agent>', 'only on this agent')
      .option('--why <text>', 'for the audit; needed without --dry-run'),
    'distrofarm checkpoints drop b-8f3kq2m1tz --agent builder-1 --dry-run',
  ).action(async (build: string, { dryRun = false, variant, agent, why }: DropOptions) => {
    if (!dryRun && why === undefined)
      throw new CliError(
        EXIT.usage,
        'why is it dropped?',
        'Say it with --why, or look first with --dry-run.',
      );
    const farm = await session.farm();
    const answer = dryRun
      ? await farm.get<DropReport>(`/checkpoints/drop${queryOf({ build, variant, agent })}`)
      : await farm.post<DropReport>('/checkpoints/drop', {
          build,
          variant: variant ?? null,
          agent: agent ?? null,
          why,
        });
    await session.show(answer, (report) => dropLines(report, dryRun));
  });
}

function dropLines({ removals, refused }: DropReport, dryRun: boolean): readonly string[] {
  return [
    ...removalLines(removals, dryRun ? 'would go' : 'goes'),
    ...refused.map(
      ({ build, variant, agentName, why }) => `${build}.${variant} on ${agentName} stays: ${why}.`,
    ),
  ];
}

interface CollectOptions {
  readonly dryRun?: boolean;
  readonly agent?: string;
  readonly free?: number;
  readonly why?: string;
}

function collect(command: Command, session: Session): void {
  example(
    command
      .option('-n, --dry-run', 'only show what would go')
      .option('-a, --agent <agent>', 'only on this agent')
      .option('--free <size>', 'make so much room there, as in 20G', byteCount)
      .option('--why <text>', 'for the audit'),
    'distrofarm checkpoints collect --agent builder-1 --free 20G --dry-run',
  ).action(async ({ dryRun = false, agent, free, why = '' }: CollectOptions) => {
    const farm = await session.farm();
    const answer = dryRun
      ? await farm.get<CollectionReport>(`/checkpoints/collection${queryOf({ agent, free })}`)
      : await farm.post<CollectionReport>('/checkpoints/collect', {
          agent: agent ?? null,
          freeBytes: free ?? null,
          why,
        });
    await session.show(answer, (report) => reportLines(report, dryRun));
  });
}

function reportLines({ removals, shortages }: CollectionReport, dryRun: boolean): readonly string[] {
  return [
    ...removalLines(removals, dryRun ? 'would go' : 'goes'),
    ...shortages.map(({ why }) => `Warning: ${why}.`),
  ];
}

function removalLines(removals: CollectionReport['removals'], verb: string): readonly string[] {
  if (removals.length === 0) return [`Nothing ${verb}.`];
  const rows = removals.map((each) => [
    each.build,
    each.variant,
    each.agentName,
    sizeOf(each.usedBytes),
    each.as,
    each.why,
  ]);
  const bytes = removals.reduce((sum, { usedBytes }) => sum + (usedBytes ?? 0), 0);
  const unknown = removals.some(({ usedBytes }) => usedBytes === null) ? ', and what was not measured' : '';
  return [
    ...textTable(['BUILD', 'VARIANT', 'AGENT', 'TAKES', 'GOES AS', 'WHY'], rows),
    `${formatBytes(bytes)} ${verb}${unknown}.`,
  ];
}
