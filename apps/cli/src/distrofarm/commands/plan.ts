import type { PlanPreview } from '#libs/contracts';
import type { Command } from 'commander';
import { example } from '../example.js';
import { matrixOption, reuseOptions, several } from '../options.js';
import { describeFate, describePlan } from '#libs/watch';
import { readSubmission } from '../read-submission.js';
import type { Session } from '../session.js';
import { submissionBody, type SubmissionOptions } from '../submission-body.js';

interface PlanOptions extends Pick<SubmissionOptions, 'variant' | 'matrix'> {
  readonly reuse?: boolean;
  readonly file?: readonly string[];
}

/** Fingerprints are asked for, which may take most of a minute; PLAN_WAIT_MS of the coordinator. */
export const LONGEST_PLAN_MS = 120_000;

export function plan(command: Command, session: Session): void {
  const [reuse, noReuse] = reuseOptions();
  example(
    command
      .argument('<manifest>', 'the manifest file')
      .option('-V, --variant <name>', 'only this variant; may be repeated', several)
      .addOption(matrixOption())
      .addOption(reuse)
      .addOption(noReuse)
      .option('--file <path>', 'take this file or folder along; may be repeated', several),
    'distrofarm plan examples/debian-live.xml',
  ).action(async (manifest: string, options: PlanOptions) => {
    const { cwd, env, now } = session.io;
    const submission = await readSubmission({ manifest, extras: options.file ?? [], cwd, env, now: now() });
    const farm = await session.farm();
    const body = submissionBody(submission, options);
    const preview = await farm.post<PlanPreview>('/builds/plan', body, { timeoutMs: LONGEST_PLAN_MS });
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
          const fate = describeFate(step);
          return `    ${step.name.padEnd(16)} ${step.message}${fate === '' ? '' : colours.dim(`  ${fate}`)}`;
        }),
      ];
    }),
  ]);
  return [name, ...lines, describePlan(variants), ...notes.map((note) => `note: ${note}`)];
}
