import type { BuildDetail, StepView } from '#libs/contracts';
import { formatDuration, jobLabels } from '#libs/watch';
import type { Command } from 'commander';
import { example } from '../example.js';
import { pathOf } from '../farm.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

export function timings(command: Command, session: Session): void {
  example(
    command.argument('[build]', 'id, the beginning of one, or "latest"', 'latest'),
    'distrofarm timings latest',
  ).action(async (reference: string) => {
    const farm = await session.farm();
    const build = await farm.get<BuildDetail>(pathOf`/builds/${reference}`);
    await session.show(build, (shown) => timingLines(session, shown));
  });
}

function timingLines(session: Session, build: BuildDetail): readonly string[] {
  const labels = jobLabels(build);
  const now = session.io.now();
  const steps = build.jobs.flatMap((job) =>
    job.steps.map((step) => ({ step, label: labels.get(job.id) ?? job.lane })),
  );
  const rows = steps.map(({ step, label }) => {
    const took = tookMs(step, now);
    return [
      label,
      step.name,
      took === null ? '-' : formatDuration(took),
      step.usualMs === null ? '-' : formatDuration(step.usualMs),
      took === null || step.usualMs === null || step.usualMs === 0
        ? ''
        : `${(took / step.usualMs).toFixed(2)}x`,
      step.state === 'succeeded' ? '' : step.state,
    ];
  });
  const sum = steps.reduce((total, { step }) => total + (tookMs(step, now) ?? 0), 0);
  const wall = build.startedAt === null ? 0 : (build.endedAt ?? now) - build.startedAt;
  return [
    ...textTable(['JOB', 'STEP', 'TOOK', 'USUALLY', '', ''], rows),
    '',
    `Steps ${formatDuration(sum)}, from start to end ${formatDuration(wall)}, waited before that ${formatDuration(waitedMs(build, now))}.`,
  ];
}

function tookMs({ startedAt, endedAt }: StepView, now: number): number | null {
  return startedAt === null ? null : (endedAt ?? now) - startedAt;
}

function waitedMs({ createdAt, startedAt }: BuildDetail, now: number): number {
  return (startedAt ?? now) - createdAt;
}
