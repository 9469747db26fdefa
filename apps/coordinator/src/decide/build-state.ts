import type { BuildState, JobState, Wish } from '#libs/contracts';

/**
 * A build's state follows from how many of its jobs are in which. The first line that holds counts:
 *
 *     an agent has one of them               running
 *     one waits                              waiting; paused when the build is to pause
 *     all succeeded                          succeeded
 *     the build was cancelled                cancelled
 *     one failed                             failed
 *     one was cancelled                      cancelled
 *     one is paused                          paused
 */
export function buildStateOf(jobs: ReadonlyMap<JobState, number>, wish: Wish): BuildState {
  const has = (state: JobState): boolean => (jobs.get(state) ?? 0) > 0;
  if (has('running') || has('assigned')) return 'running';
  if (has('waiting')) return wish === 'pause' ? 'paused' : 'waiting';
  if ([...jobs].every(([state, count]) => count === 0 || state === 'succeeded')) return 'succeeded';
  if (wish === 'cancel') return 'cancelled';
  if (has('failed')) return 'failed';
  if (has('cancelled')) return 'cancelled';
  return has('paused') ? 'paused' : 'waiting';
}

/** Nothing of it moves until a person says so. */
export function isAtRest(state: BuildState): boolean {
  return state !== 'waiting' && state !== 'running';
}
