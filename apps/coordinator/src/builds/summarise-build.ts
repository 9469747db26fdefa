import type { BuildRow, JobRow, StepRow } from '#libs/store';

/** One sentence on what goes on with a build, for a line of a list. Pure. */
export function summariseBuild(
  build: Pick<BuildRow, 'state' | 'wish' | 'pause_before'>,
  jobs: readonly Pick<JobRow, 'id' | 'state' | 'lane' | 'waiting_reason'>[],
  steps: readonly Pick<StepRow, 'job_id' | 'name' | 'state'>[],
): string {
  const running = jobs.filter(({ state }) => state === 'running' || state === 'assigned');
  if (running.length > 0) {
    const ending = { run: '', pause: '; pauses when they end', cancel: '; is being cancelled' }[build.wish];
    return `${describeRunning(running, steps)}${ending}`;
  }
  switch (build.state) {
    case 'succeeded':
      return 'succeeded';
    case 'failed': {
      const failed = jobs.find(({ state }) => state === 'failed');
      const step = steps.find(({ job_id, state }) => job_id === failed?.id && state === 'failed');
      if (step !== undefined) return `failed in ${step.name}`;
      return failed === undefined || failed.waiting_reason === '' ? 'failed' : failed.waiting_reason;
    }
    case 'paused':
      return build.pause_before === null ? 'paused' : `paused before ${build.pause_before}`;
    case 'cancelled':
      return 'cancelled';
    case 'waiting':
    case 'running':
      return jobs.find(({ state }) => state === 'waiting')?.waiting_reason ?? '';
  }
}

function describeRunning(
  running: readonly Pick<JobRow, 'id' | 'lane'>[],
  steps: readonly Pick<StepRow, 'job_id' | 'name' | 'state'>[],
): string {
  const names = running.map(
    ({ id, lane }) => steps.find(({ job_id, state }) => job_id === id && state === 'running')?.name ?? lane,
  );
  return `runs ${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`;
}
