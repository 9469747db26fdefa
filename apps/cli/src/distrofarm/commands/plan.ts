import type { PlanPreview } from '#libs/contracts';
import { formatDuration } from '#libs/watch';
import type { Command } from 'commander';
import { example } from '../example.js';
import { matrixOption, several } from '../options.js';
import { readSubmission } from '../read-submission.js';
import type { Session } from '../session.js';
import { submissionBody, type SubmissionOptions } from '../submission-body.js';

interface PlanOptions extends Pick<SubmissionOptions, 'variant' | 'matrix'> {
  readonly reuse?: boolean;
  readonly file?: readonly string[];
}

export function plan(command: Command, session: Session): void {
  example(
    command
      .argument('<manifest>', 'the manifest file')
      .option('-V, --variant <name>', 'only this variant; may be repeated', several)
      .addOption(matrixOption())
      .option('--reuse', 'say what would not run, since it was made before')
      .option('--file <path>', 'take this file or folder along; may be repeated', several),
    'distrofarm plan examples/debian-live.xml',
  ).action(async (manifest: string, options: PlanOptions) => {
    const { cwd, env, now } = session.io;
    const submission = await readSubmission({ manifest, extras: options.file ?? [], cwd, env, now: now() });
    const farm = await session.farm();
    const preview = await farm.post<PlanPreview>('/builds/plan', submissionBody(submission, options));
    await session.show(preview, (shown) => planLines(session, shown));
  });
}

/** Jobs with what they need, their steps, and who could run them. */
export function planLines({ colours }: Session, { name, variants, notes }: PlanPreview): readonly string[] {
  const several = variants.length > 1;
  const lines = variants.flatMap((variant) => [
    ...(several
      ? ['', colours.bold(`variant ${variant.name}${variant.optional === true ? ' (optional)' : ''}`)]
      : []),
    ...variant.jobs.flatMap((job) => {
      const needs = job.needs.map(
        (index) => variant.jobs.find((other) => other.index === index)?.lane ?? String(index),
      );
      const after = needs.length === 0 ? '' : `, after ${needs.join(', ')}`;
      return [
        `  ${colours.bold(job.lane)} on ${job.architecture}${after}: ${job.placement}`,
        ...job.steps.map((step) => {
          const fate = fateOf(step);
          return `    ${step.name.padEnd(16)} ${step.message}${fate === '' ? '' : colours.dim(`  ${fate}`)}`;
        }),
      ];
    }),
  ]);
  return [name, ...lines, ...sumLine(variants), ...notes.map((note) => `note: ${note}`)];
}

type PlannedStep = PlanPreview['variants'][number]['jobs'][number]['steps'][number];

/** `as in b-…`, `with variant de`, or how long it usually takes and why it runs. */
function fateOf({ fate, of, why, usualMs }: PlannedStep): string {
  if (fate === 'reused') return `as in ${of ?? ''}`;
  if (fate === 'shared') return `with variant ${of ?? ''}`;
  const usual = usualMs === null ? [] : [`usually ${formatDuration(usualMs)}`];
  return [...usual, ...(why === '' ? [] : [why])].join('; ');
}

/** `3 of 7 steps run, 2 min 5 s of work as usual; 4 are at hand`. Empty where nothing is reused or shared. */
function sumLine(variants: PlanPreview['variants']): readonly string[] {
  const steps = variants.flatMap(({ jobs }) => jobs.flatMap((job) => job.steps));
  const running = steps.filter(({ fate }) => fate === 'runs');
  if (running.length === steps.length) return [];
  const usual = running.reduce((sum, { usualMs }) => sum + (usualMs ?? 0), 0);
  const work = usual === 0 ? '' : `, usually ${formatDuration(usual)} of work`;
  return [`${running.length} of ${steps.length} steps run${work}`];
}
