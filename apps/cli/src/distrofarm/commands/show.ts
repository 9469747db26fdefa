import type { BuildDetail, JobView, StepView } from '#libs/contracts';
import {
  describeEnd,
  describeOutcome,
  describeStandings,
  formatDuration,
  jobLabels,
  variantStandings,
} from '#libs/watch';
import type { Command } from 'commander';
import { CliError } from '../cli-error.js';
import { example } from '../example.js';
import { EXIT } from '../exit-codes.js';
import { pathOf } from '../farm.js';
import { dateTime } from '../moments.js';
import { stateColour } from '../state-colour.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

/** Of more, only those are shown in full that have failed or run. */
const MOST_IN_FULL = 8;

export function show(command: Command, session: Session): void {
  example(
    command
      .argument('[build]', 'id, the beginning of one, or "latest"', 'latest')
      .option('-V, --variant <name>', 'the jobs of this variant only'),
    'distrofarm show latest',
  ).action(async (reference: string, { variant }: { readonly variant?: string }) => {
    const farm = await session.farm();
    const build = await farm.get<BuildDetail>(pathOf`/builds/${reference}`);
    if (variant !== undefined && !build.variants.includes(variant)) {
      const hint = `Its variants are: ${build.variants.join(', ')}.`;
      throw new CliError(EXIT.notFound, `${build.id} has no variant "${variant}"`, hint);
    }
    await session.show(build, (shown) => [
      ...buildLines(session, shown),
      ...variantLines(session, shown),
      ...jobsInFull(shown, variant).flatMap((job) => jobLines(session, shown, job)),
    ]);
  });
}

function jobsInFull(build: BuildDetail, variant: string | undefined): readonly JobView[] {
  const { jobs, variants } = build;
  if (variant !== undefined) return jobs.filter((job) => job.variant === variant);
  if (variants.length <= MOST_IN_FULL) return jobs;
  const telling = variantStandings(build).filter(({ state }) => state === 'failed' || state === 'running');
  const shown = new Set(telling.slice(0, MOST_IN_FULL).map(({ name }) => name));
  return jobs.filter((job) => shown.has(job.variant));
}

function variantLines({ colours }: Session, build: BuildDetail): readonly string[] {
  if (build.variants.length < 2) return [];
  const standings = variantStandings(build);
  const rows = standings.map(({ name, isOptional, state, steps }) => [
    `  ${name}`,
    stateColour(colours, state)(state),
    `${steps.done} of ${steps.total} steps`,
    isOptional ? 'optional' : '',
  ]);
  const inFull = `Jobs of one in full: distrofarm show ${build.id} --variant NAME`;
  return [
    '',
    describeStandings(standings),
    ...textTable([], rows),
    ...(build.variants.length > MOST_IN_FULL ? [colours.dim(inFull)] : []),
  ];
}

function buildLines({ colours }: Session, build: BuildDetail): readonly string[] {
  const wish = build.wish === 'run' ? '' : ` (${build.wish} asked for)`;
  const facts: readonly (readonly [string, string])[] = [
    ['Build', `${build.id} of ${build.name}`],
    ['State', `${stateColour(colours, build.state)(build.state)}${wish}`],
    ['', build.summary === build.state ? '' : build.summary],
    ['Note', build.note],
    ['By', `${build.user}, priority ${build.priority}`],
    ['Submitted', dateTime(build.createdAt)],
    ['Started', dateTime(build.startedAt)],
    ['Ended', dateTime(build.endedAt)],
    ['Variant', build.variants.length === 1 ? (build.variants[0] ?? '') : ''],
    ['Manifest', `${build.manifestPath}, sha256 ${build.manifestSha256}`],
    ['Pauses before', build.pauseBefore ?? ''],
    [
      'Replicas',
      build.replicas === 0
        ? ''
        : `${build.replicas}${build.waitForReplicas ? ', each step waits for them' : ''}`,
    ],
  ];
  return textTable(
    [],
    facts.filter(([, value]) => value !== ''),
  );
}

function jobLines({ colours, io }: Session, build: BuildDetail, job: JobView): readonly string[] {
  const label = jobLabels(build).get(job.id) ?? job.lane;
  const head = `${colours.bold(label)}  ${stateColour(colours, job.state)(job.state)}${job.waitingReason === '' ? '' : `: ${job.waitingReason}`}`;
  const steps = job.steps.map((step) => [
    `  ${step.index}`,
    step.name,
    stateColour(colours, step.state)(step.state),
    tookOf(step, io.now()),
    step.checkpoint === null ? '' : `checkpoint on ${step.checkpointOn.join(', ')}`,
    step.outcome === null || step.outcome.kind === 'succeeded' ? step.message : describeOutcome(step.outcome),
  ]);
  const attempts = job.attempts.map(({ number, agentName, id, end, phase }) => {
    return `  attempt ${number} on ${agentName} (${id}): ${end === null ? (phase ?? 'assigned') : describeEnd(end, job)}`;
  });
  return ['', head, ...textTable([], steps), ...attempts.map((line) => colours.dim(line))];
}

function tookOf({ startedAt, endedAt }: StepView, now: number): string {
  return startedAt === null ? '' : formatDuration((endedAt ?? now) - startedAt);
}
