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
 *
 * Once none is under way, those of optional variants that failed do not count, unless there are no others.
 *
 * @param binding `jobs` without those of optional variants of which one has failed
 */
export function buildStateOf(
  jobs: ReadonlyMap<JobState, number>,
  wish: Wish,
  binding: ReadonlyMap<JobState, number> = jobs,
): BuildState {
  const isUnderWay = (state: JobState): boolean => (jobs.get(state) ?? 0) > 0;
  if (isUnderWay('running') || isUnderWay('assigned')) return 'running';
  if (isUnderWay('waiting')) return wish === 'pause' ? 'paused' : 'waiting';
  const judged = [...binding.values()].some((count) => count > 0) ? binding : jobs;
  const has = (state: JobState): boolean => (judged.get(state) ?? 0) > 0;
  if ([...judged].every(([state, count]) => count === 0 || state === 'succeeded')) return 'succeeded';
  if (wish === 'cancel') return 'cancelled';
  if (has('failed')) return 'failed';
  if (has('cancelled')) return 'cancelled';
  return has('paused') ? 'paused' : 'waiting';
}

/** Nothing of it moves until a person says so. */
export function isAtRest(state: BuildState): boolean {
  return state !== 'waiting' && state !== 'running';
}
