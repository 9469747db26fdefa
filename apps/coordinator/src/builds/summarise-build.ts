import type { JobState } from '#libs/contracts';
import type { BuildRow } from '#libs/store';

/** What a summary is made of: how many jobs are in each state, and one of each as an example. */
export interface JobsAtAGlance {
  readonly counts: ReadonlyMap<JobState, number>;
  readonly example: (
    state: JobState,
  ) => { readonly lane: string; readonly reason: string; readonly step: string | null } | null;
}

/**
 * One sentence on what goes on with a build, for a line of a list. Pure.
 *
 * @param asking why nothing of it begins yet
 */
export function summariseBuild(
  build: Pick<BuildRow, 'state' | 'wish' | 'pause_before'>,
  { counts, example }: JobsAtAGlance,
  asking = '',
): string {
  const active = example('running') ?? example('assigned');
  if (active !== null) {
    const more = (counts.get('running') ?? 0) + (counts.get('assigned') ?? 0) - 1;
    const others = more === 0 ? '' : ` and ${more} more`;
    const ending = { run: '', pause: '; pauses when they end', cancel: '; is being cancelled' }[build.wish];
    return `runs ${active.step ?? active.lane}${others}${ending}`;
  }
  switch (build.state) {
    case 'succeeded':
      return build.state + withoutOptional(counts.get('failed') ?? 0, example('failed')?.step ?? null);
    case 'cancelled':
      return build.state;
    case 'failed': {
      const failed = example('failed');
      if (failed?.step != null) return `failed in ${failed.step}`;
      return failed === null || failed.reason === '' ? 'failed' : failed.reason;
    }
    case 'paused':
      return build.pause_before === null ? 'paused' : `paused before ${build.pause_before}`;
    case 'waiting':
    case 'running':
      return example('waiting')?.reason ?? asking;
  }
}

/** What failed of a build that succeeded is of optional variants. */
function withoutOptional(failedJobs: number, step: string | null): string {
  if (failedJobs === 0) return '';
  if (failedJobs > 1) return `; ${failedJobs} jobs of optional variants failed`;
  return `; an optional variant failed${step === null ? '' : ` in ${step}`}`;
}
