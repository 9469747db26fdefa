import type { JobState } from '#libs/contracts';

interface FlowJob {
  readonly index: number;
  readonly state: JobState;
  /** Indexes of the jobs, of the same variant, that must have succeeded. */
  readonly needs: readonly number[];
}

/** The blocked jobs of one variant that have all they need. */
export function readyJobs<J extends FlowJob>(jobs: readonly J[]): readonly J[] {
  const succeeded = new Set(jobs.filter(({ state }) => state === 'succeeded').map(({ index }) => index));
  return jobs.filter(
    ({ state, needs }) => state === 'blocked' && needs.every((index) => succeeded.has(index)),
  );
}

/**
 * With `-p X`, as in distro_const, no step from X on runs: a job that begins behind X is not started. One that begins at X, or holds it, runs up to the boundary
 * in front of it, so that its checkpoint is there.
 */
export function isHeldByPause(firstStepIndex: number, pauseIndex: number | null): boolean {
  return pauseIndex !== null && firstStepIndex > pauseIndex;
}
