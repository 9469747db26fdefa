import type { AgentId, BuildId, Explanation, JobId } from '#libs/contracts';
import { describeVerdict, judgeAgent } from './agent-verdict.js';
import { counted } from './amounts.js';
import { CarryOvers, describeWeighing, type Weighing } from './carry-over.js';
import type { CandidateAgent, PlacementInput, WaitingJob } from './placement-input.js';
import { placeJobs, type PlacementResult } from './place-jobs.js';

export interface JobExplanation {
  /** Why it waits; why there, when the next pass will place it. */
  readonly reason: string;
  /** Every enrolled agent, in the order of names. */
  readonly agents: readonly ExplainedAgent[];
}

type ExplainedAgent = Explanation['jobs'][number]['agents'][number];

/**
 * What the next pass will do with one waiting job, agent by agent: decided by the pass itself. `null` when the job is not among the waiting.
 *
 * @param madeBy by agent, the build whose state is the furthest of those there that equal one of the job's; missing where that is the job's own
 */
export function explainJob(
  input: PlacementInput,
  id: JobId,
  madeBy: ReadonlyMap<AgentId, BuildId> = new Map(),
): JobExplanation | null {
  const job = input.jobs.find((each) => each.id === id);
  if (job === undefined) return null;
  const result = placeJobs(input);
  const enrolled = input.agents.filter(({ state }) => state !== 'revoked');
  const byName = [...enrolled].sort((a, b) => (a.name < b.name ? -1 : 1));
  const outcome = outcomeOf(job, input, result);
  const carryOvers = new CarryOvers(input);
  return {
    reason: outcome.reason,
    agents: byName.map((agent) => {
      const mayHaveIt = judgeAgent(agent, job, input.holders).kind === 'able';
      const weighing = mayHaveIt ? carryOvers.weigh(job, agent) : null;
      return {
        agent: agent.id,
        name: agent.name,
        verdict: verdictOn(agent, outcome),
        weighed: weighing === null ? null : weighedOf(weighing, madeBy),
      };
    }),
  };
}

function weighedOf(
  weighing: Weighing,
  madeBy: ReadonlyMap<AgentId, BuildId>,
): NonNullable<ExplainedAgent['weighed']> {
  const { from, ...ways } = weighing;
  const build = madeBy.get(from.id) ?? null;
  const text = describeWeighing(weighing, build);
  return { from: { agent: from.id, name: from.name }, build, ...ways, text };
}

interface Outcome {
  readonly job: WaitingJob;
  readonly input: PlacementInput;
  readonly result: PlacementResult;
  readonly reason: string;
  readonly chosen: AgentId | null;
  /** The job failed on some agents, and others may have it. */
  readonly avoids: boolean;
}

function outcomeOf(job: WaitingJob, input: PlacementInput, result: PlacementResult): Outcome {
  const placement = result.placements.find((each) => each.job === job.id);
  const able = input.agents.filter((agent) => judgeAgent(agent, job, input.holders).kind === 'able');
  return {
    job,
    input,
    result,
    reason: placement?.reason ?? result.waiting.get(job.id) ?? '',
    chosen: placement?.agent ?? null,
    avoids: able.some(({ id }) => !job.avoid.includes(id)),
  };
}

function verdictOn(agent: CandidateAgent, outcome: Outcome): string {
  const { job, input, avoids, chosen } = outcome;
  const verdict = judgeAgent(agent, job, input.holders);
  if (verdict.kind !== 'able') return describeVerdict(verdict);
  if (avoids && job.avoid.includes(agent.id)) return describeVerdict({ kind: 'avoided' });
  if (agent.id === chosen) return 'gets it next';
  if (agent.running >= agent.slots) return allSlotsInUse(agent.slots);
  return chosen === null ? whyNotFreeOne(agent, outcome) : 'free; another agent suits it better';
}

function allSlotsInUse(slots: number): string {
  return slots === 1 ? 'its slot is in use' : `all ${slots} slots are in use`;
}

/** Of an agent with a free slot, when the job gets no agent at all: others come first, or its user has enough. */
function whyNotFreeOne(agent: CandidateAgent, { input, result, reason }: Outcome): string {
  const taken = new Set(result.placements.filter((each) => each.agent === agent.id).map(({ job }) => job));
  const bytes = input.jobs.filter(({ id }) => taken.has(id)).map(({ requires }) => requires.freeBytes);
  const isFull = agent.running + taken.size >= agent.slots;
  if (!isFull && bytes.length === 0) return `free, but ${reason}`;
  const ahead = `${counted(taken.size, 'job')} ${taken.size === 1 ? 'is' : 'are'} ahead`;
  return isFull ? `free in principle, but ${ahead}` : `free, but its space goes to others: ${ahead}`;
}
