import type { BuildDetail, JobView, StepView } from '#libs/contracts';
import { describeOutcome } from '#libs/engine';
import type { Command } from 'commander';
import { example } from '../example.js';
import { formatDuration } from '../durations.js';
import { pathOf } from '../farm.js';
import { describeEnd, jobLabels } from '../job-wording.js';
import { dateTime } from '../moments.js';
import { stateColour } from '../state-colour.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

export function show(command: Command, session: Session): void {
  example(
    command.argument('[build]', 'id, the beginning of one, or "latest"', 'latest'),
    'distrofarm show latest',
  ).action(async (reference: string) => {
    const farm = await session.farm();
    await session.show(await farm.get<BuildDetail>(pathOf`/builds/${reference}`), (build) => [
      ...buildLines(session, build),
      ...build.jobs.flatMap((job) => jobLines(session, build, job)),
    ]);
  });
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
    ['Variants', build.variants.join(', ')],
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
