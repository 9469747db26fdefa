import type { JobId, JobState } from '#libs/contracts';

interface ResumableJob {
  readonly id: JobId;
  readonly variant_id: string;
  readonly index: number;
  readonly state: JobState;
  readonly needs: readonly number[];
  readonly generation: number;
  readonly ancestry: readonly Ancestor[];
}

/** As JobAncestor of the record. */
interface Ancestor {
  readonly generation: number;
  readonly upTo: string;
  readonly upToIndex: number;
}

interface ResumableStep {
  readonly job_id: JobId;
  readonly index: number;
  readonly name: string;
  readonly state: string;
}

export interface JobResume<J> {
  readonly job: J;
  /** It begins a new generation, of which these earlier ones are good for a part; `null`: it goes on with what it has. */
  readonly setBack: { readonly ancestry: readonly Ancestor[] } | null;
  /** Its steps from this index on are to run again; `null`: those that have not succeeded. */
  readonly fromStep: number | null;
}

export type ResumePlan<J> =
  | { readonly kind: 'resume'; readonly jobs: readonly JobResume<J>[] }
  | { readonly kind: 'refused'; readonly reason: string; readonly hint: string | null };

const STOPPED: readonly JobState[] = ['paused', 'failed', 'cancelled'];
const ACTIVE: readonly JobState[] = ['assigned', 'running'];

/**
 * Which jobs go back to `blocked`, from where they can go on, when a build is resumed.
 *
 * Without a step: those that were paused, failed or cancelled, each where it stopped. With one, in each variant that has it: its job from that step, and what
 * depends on that job, directly or not, from scratch; what does not depend on it keeps its results. Jobs that stopped elsewhere go on too.
 *
 * @param from name of a step, or its number
 */
export function planResume<J extends ResumableJob>(
  jobs: readonly J[],
  steps: readonly ResumableStep[],
  from: string | null,
): ResumePlan<J> {
  const chosen = new Map<JobId, JobResume<J>>();
  for (const job of jobs.filter(({ state }) => STOPPED.includes(state))) {
    chosen.set(job.id, { job, setBack: null, fromStep: null });
  }
  if (from !== null) {
    const refusal = addFromStep(chosen, jobs, steps, from);
    if (refusal !== null) return refusal;
  }
  // What waited for a cancelled job was cancelled with it, and is chosen; what is blocked stays blocked.
  if (chosen.size > 0) return { kind: 'resume', jobs: [...chosen.values()] };
  const active = jobs.some(({ state }) => ACTIVE.includes(state) || state === 'waiting');
  return {
    kind: 'refused',
    reason: active ? 'has nothing to resume: it is under way' : 'has nothing to resume: all of it succeeded',
    hint: active ? null : 'Name the step to run again from: --from STEP.',
  };
}

/** What the generations so far are good for when the job is set back to the boundary in front of this step. */
function ancestryUpTo(
  { generation, ancestry }: ResumableJob,
  { name, index }: ResumableStep,
): readonly Ancestor[] {
  return [...ancestry, { generation, upTo: name, upToIndex: index }].map((ancestor) =>
    ancestor.upToIndex <= index ? ancestor : { ...ancestor, upTo: name, upToIndex: index },
  );
}

function addFromStep<J extends ResumableJob>(
  chosen: Map<JobId, JobResume<J>>,
  jobs: readonly J[],
  steps: readonly ResumableStep[],
  from: string,
): Extract<ResumePlan<J>, { kind: 'refused' }> | null {
  const byName = steps.filter(({ name }) => name === from);
  const found = byName.length > 0 ? byName : steps.filter(({ index }) => String(index) === from);
  const holders = jobs.filter(({ id }) => found.some(({ job_id }) => job_id === id));
  if (holders.length === 0) {
    const names = [...new Set(steps.map(({ index, name }) => `${index} ${name}`))].join(', ');
    return { kind: 'refused', reason: `has no step "${from}"`, hint: `Its steps: ${names}.` };
  }
  for (const holder of holders) {
    const step = found.find(({ job_id }) => job_id === holder.id);
    if (step === undefined) continue;
    const dependents = dependentsOf(holder, jobs);
    const busy = [holder, ...dependents].find(({ state }) => ACTIVE.includes(state));
    if (busy !== undefined) {
      return {
        kind: 'refused',
        reason: `is still working on what comes from step "${step.name}"`,
        hint: 'Pause or cancel it first, and resume when it has come to rest.',
      };
    }
    const reached = steps.filter(({ job_id, index }) => job_id === holder.id && index < step.index);
    if (reached.some(({ state }) => state !== 'succeeded')) {
      return {
        kind: 'refused',
        reason: `cannot resume at "${step.name}": it has not come that far`,
        hint: 'Resume without --from, or at an earlier step.',
      };
    }
    const ancestry = ancestryUpTo(holder, step);
    chosen.set(holder.id, { job: holder, setBack: { ancestry }, fromStep: step.index });
    for (const job of dependents) chosen.set(job.id, { job, setBack: { ancestry: [] }, fromStep: 0 });
  }
  return null;
}

/** Jobs of the same variant that need it, or need one that needs it. */
function dependentsOf<J extends ResumableJob>(of: J, jobs: readonly J[]): readonly J[] {
  const spoiled = new Set([of.index]);
  const siblings = jobs
    .filter(({ variant_id }) => variant_id === of.variant_id)
    .toSorted((a, b) => a.index - b.index);
  return siblings.filter((job) => {
    const depends = job.index !== of.index && job.needs.some((index) => spoiled.has(index));
    if (depends) spoiled.add(job.index);
    return depends;
  });
}
