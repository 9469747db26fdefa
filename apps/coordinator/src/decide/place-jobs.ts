import type { AgentId, JobId } from '#libs/contracts';
import { affinityOf, describeChoice, hasSlot, takeSlot, type AgentRoom } from './agent-room.js';
import { CarryOvers, type CarryOver } from './carry-over.js';
import type { CandidateAgent, PlacementInput, Served, UnderWay, WaitingJob } from './placement-input.js';
import { ableOf, chooseOf, RequirementClasses, type RequirementClass } from './requirement-class.js';
import { waitForBusyOne } from './wait-or-move.js';
import { WaitingLine } from './waiting-line.js';
import { jobsAhead, whyAllAreBusy, whyOverLimit, WhyNobodyMatches } from './waiting-reason.js';

export interface PlacementResult {
  /** In the order in which they were decided. */
  readonly placements: readonly Placement[];
  /** A sentence for every job that was looked at and not placed. */
  readonly waiting: ReadonlyMap<JobId, string>;
  /** For the next pass's input. */
  readonly served: Served;
}

export interface Placement {
  readonly job: JobId;
  readonly agent: AgentId;
  readonly reason: string;
  /** What people are warned of: finished steps run again. */
  readonly loss: string | null;
  /** How many of the job's boundaries are to be there before it begins; what is behind them runs again. `null`: all that can be had. */
  readonly fetchUpTo: number | null;
}

/**
 * One scheduling pass: each job in its turn (see `WaitingLine`) gets the best agent that may have it (see `chooseRoom`), as long as slots, space
 * and its user's limit allow. A job that cannot be placed does not hold up those behind it. The same input, in whatever order, gives the same result.
 */
export function placeJobs(input: PlacementInput): PlacementResult {
  const line = new WaitingLine(input);
  const classes = new RequirementClasses(input);
  const pass: Pass = {
    input,
    line,
    placements: [],
    waiting: new Map(),
    heldUp: [],
    ableCounts: new Map(),
    ableById: new Map(),
    whyNobodyMatches: new WhyNobodyMatches(input),
    carryOvers: new CarryOvers(input),
    begun: { trusted: new Map(), all: new Map() },
  };
  const most = input.limits.placements ?? Infinity;
  for (let job = line.next(); job !== undefined; job = line.next()) {
    decide(job, classes.of(job), pass);
    if (pass.placements.length >= most) break;
  }
  explainHeldUp(pass);
  return { placements: pass.placements, waiting: pass.waiting, served: line.served() };
}

interface Pass {
  readonly input: PlacementInput;
  readonly line: WaitingLine;
  readonly placements: Placement[];
  readonly waiting: Map<JobId, string>;
  /** Jobs that agents match, all of which are busy. */
  readonly heldUp: { readonly job: WaitingJob; readonly by: RequirementClass }[];
  readonly ableCounts: Map<RequirementClass, number>;
  readonly ableById: Map<RequirementClass, ReadonlyMap<AgentId, AgentRoom>>;
  readonly whyNobodyMatches: WhyNobodyMatches;
  readonly carryOvers: CarryOvers;
  /** As `input.underWay`, of jobs placed in this pass. */
  readonly begun: Record<keyof UnderWay, Map<string, string>>;
}

function decide(job: WaitingJob, by: RequirementClass, pass: Pass): void {
  const { input, line, waiting } = pass;
  const running = line.runningOf(job.user);
  const limit = input.limits.runningPerUser;
  const equal = whoMakes(job, pass);
  if (equal !== undefined) waiting.set(job.id, `waits for ${equal}, whose next step is the same`);
  else if (!by.isMatched) waiting.set(job.id, pass.whyNobodyMatches.of(by));
  else if (running >= limit) waiting.set(job.id, whyOverLimit(job.user, running, limit));
  else if (!place(job, by, pass)) pass.heldUp.push({ job, by });
}

/** Equal steps run once: who runs the job's next one already, or is going to since this pass. */
function whoMakes(
  { nextKey = null, isTrusted = false }: WaitingJob,
  { input, begun }: Pass,
): string | undefined {
  if (nextKey === null) return undefined;
  const makers = isTrusted ? 'trusted' : 'all';
  return input.underWay?.[makers].get(nextKey) ?? begun[makers].get(nextKey);
}

function noteBegun({ build, nextKey = null, isTrusted = false }: WaitingJob, { begun }: Pass): void {
  if (nextKey === null) return;
  begun.all.set(nextKey, `build ${build}`);
  if (isTrusted) begun.trusted.set(nextKey, `build ${build}`);
}

/** False when no agent that matches has a slot and the room; else the job is placed, or it is said what it waits for. */
function place(job: WaitingJob, by: RequirementClass, pass: Pass): boolean {
  const { carryOvers } = pass;
  const costOf = (agent: CandidateAgent): CarryOver => carryOvers.of(job, agent);
  const affinity = affinityOf(job.wants, pass.input.holders, job.done.length === 0 ? null : costOf);
  const room = chooseOf(by, affinity);
  if (room === undefined) return false;
  const patience =
    job.done.length === 0
      ? null
      : waitForBusyOne(job, busyHolders(job, by, pass), room, costOf, pass.input.now);
  if (patience !== null) {
    pass.waiting.set(job.id, patience);
    return true;
  }
  const reason = describeChoice(room, ableCount(by, pass), affinity);
  pass.placements.push({
    job: job.id,
    agent: room.agent.id,
    reason,
    loss: carryOvers.lossOf(job, room.agent),
    fetchUpTo: job.done.length === 0 ? null : (costOf(room.agent).again?.from ?? null),
  });
  takeSlot(room, job.requires.freeBytes, pass.input.now);
  pass.line.placed(job);
  noteBegun(job, pass);
  return true;
}

/** Those that match and hold checkpoints of the job, without a slot; in the order of ids. */
function busyHolders(job: WaitingJob, by: RequirementClass, pass: Pass): readonly AgentRoom[] {
  const able = pass.ableById.get(by) ?? new Map(ableOf(by).map((room) => [room.agent.id, room]));
  pass.ableById.set(by, able);
  const holders = pass.input.holders.get(job.wants.lineage)?.keys() ?? [];
  return [...holders]
    .toSorted()
    .flatMap((id) => able.get(id) ?? [])
    .filter((room) => !hasSlot(room));
}

function ableCount(by: RequirementClass, { ableCounts }: Pass): number {
  const count = ableCounts.get(by) ?? ableOf(by).length;
  ableCounts.set(by, count);
  return count;
}

/**
 * "3 agents match, all 8 slots are in use; 12 jobs are ahead". Ahead are the jobs for the same architecture that wait for a slot too and get
 * their turn earlier: an estimate, since labels and agents that fall free decide in the end.
 */
function explainHeldUp({ line, heldUp, waiting }: Pass): void {
  const busy = new Map<RequirementClass, string>();
  const classOf = new Map(heldUp.map(({ job, by }) => [job, by]));
  const ahead = new Map<string, number>();
  for (const job of line.turns(heldUp.map(({ job }) => job))) {
    const by = classOf.get(job);
    if (by === undefined) continue;
    const why = busy.get(by) ?? whyAllAreBusy(by);
    busy.set(by, why);
    const before = ahead.get(job.requires.architecture) ?? 0;
    ahead.set(job.requires.architecture, before + 1);
    waiting.set(job.id, `${why}; ${jobsAhead(before)}`);
  }
}
