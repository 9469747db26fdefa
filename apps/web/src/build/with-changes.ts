import type { BuildChanges, BuildDetail } from '#libs/contracts';

/** The view after the changes. Jobs that nothing happened to are the same objects as before, so that what was made of them still holds. */
export function withChanges(known: BuildDetail, { jobs, standings, ...head }: BuildChanges): BuildDetail {
  const changed = new Map(jobs.map((job) => [job.id, job]));
  const standingOf = new Map(standings.flatMap((standing) => standing.jobs.map((id) => [id, standing])));
  return {
    ...head,
    jobs: known.jobs.map((job) => {
      const view = changed.get(job.id);
      if (view !== undefined) return view;
      const { state, waitingReason } = standingOf.get(job.id) ?? job;
      const isSame = state === job.state && waitingReason === job.waitingReason;
      return isSame ? job : { ...job, state, waitingReason };
    }),
  };
}
