import type { AgentId } from '#libs/contracts';
import { hasSlot, type AgentRoom } from './agent-room.js';
import { countShort, countVerdicts, judgeAgent, whichClause } from './agent-verdict.js';
import { counted, listed } from './amounts.js';
import type { CandidateAgent, PlacementInput, WaitingJob } from './placement-input.js';
import {
  ableOf,
  avoidedOf,
  holdersOf,
  type AbilityGroup,
  type RequirementClass,
} from './requirement-class.js';

/** Why no agent may get the jobs of a class, slots aside. Revoked agents are no part of the farm, and are not counted. */
export class WhyNobodyMatches {
  private readonly enrolled: readonly CandidateAgent[];
  private readonly byId: ReadonlyMap<AgentId, CandidateAgent>;
  private readonly known = new Map<RequirementClass, string>();
  /** Of agents that are not ready or not able; the same for all sizes, of which there may be as many as jobs. */
  private readonly others = new Map<AbilityGroup, string>();

  constructor(private readonly input: Pick<PlacementInput, 'agents' | 'holders'>) {
    this.enrolled = input.agents.filter(({ state }) => state !== 'revoked');
    this.byId = new Map(input.agents.map((agent) => [agent.id, agent]));
  }

  of(by: RequirementClass): string {
    const known = this.known.get(by) ?? this.explain(by);
    this.known.set(by, known);
    return known;
  }

  private explain(by: RequirementClass): string {
    const { sample } = by;
    if (sample.onAgent !== null) return this.whyNotOn(sample.onAgent, sample);
    if (this.enrolled.length === 0) return 'the farm has no agents';
    const holding = holdersOf(sample, this.input.holders);
    if (holding !== null) return this.whyStateOutOfReach(holding, sample);
    const counts = [this.countOthers(by), countReady(by)].filter((part) => part !== '');
    return `0 of ${this.enrolled.length} agents match: ${counts.join(', ')}`;
  }

  private whyNotOn(id: AgentId, job: WaitingJob): string {
    const agent = this.byId.get(id);
    if (agent === undefined) return `waits for agent ${id}, which is not in the farm`;
    return `waits for agent ${agent.name}, ${this.which(agent, job)}`;
  }

  private whyStateOutOfReach(holding: readonly AgentId[], job: WaitingJob): string {
    const agents = holding.flatMap((id) => this.byId.get(id) ?? []);
    const [only] = agents;
    if (only === undefined) return 'no agent holds the state it goes on from, and it was not published';
    if (agents.length === 1) return `its state is on agent ${only.name}, ${this.which(only, job)}`;
    const verdicts = agents.map((agent) => judgeAgent(agent, job, this.input.holders));
    return `its state is on ${agents.length} agents: ${countVerdicts(verdicts)}`;
  }

  private which(agent: CandidateAgent, job: WaitingJob): string {
    return whichClause(judgeAgent(agent, job, this.input.holders));
  }

  private countOthers({ group, sample }: RequirementClass): string {
    const known = this.others.get(group);
    if (known !== undefined) return known;
    const verdicts = this.enrolled.map((agent) => judgeAgent(agent, sample, this.input.holders));
    const counted = countVerdicts(verdicts.filter(({ kind }) => kind !== 'no-space'));
    this.others.set(group, counted);
    return counted;
  }
}

/** All that are ready are short of space, else the class would be matched. */
function countReady({ group, sample }: RequirementClass): string {
  if (group.ready.length === 0) return '';
  return countShort(group.ready.length, sample.requires.freeBytes - group.mostFreeBytes);
}

/** Why none of the agents that match takes another job of the class: slots, or space that jobs in front were given. */
export function whyAllAreBusy(by: RequirementClass): string {
  const able = ableOf(by);
  const full = able.filter((room) => !hasSlot(room));
  const slots = full.reduce((sum, { agent }) => sum + agent.slots, 0);
  const short = able.length - full.length;
  const whose = able.length === 1 ? 'its space' : `the space of ${counted(short, 'agent')}`;
  const parts = [
    full.length > 0 ? `${slots === 1 ? 'its slot is' : `all ${slots} slots are`} in use` : '',
    short > 0 ? `${whose} goes to jobs that are ahead` : '',
  ];
  const names = avoidedOf(by).map(({ agent }) => agent.name);
  const avoids = names.length === 0 ? '' : `; avoids ${listed(names.sort())}, where it failed`;
  return `${whoMatches(able, by.sample)}, ${listed(parts.filter((part) => part !== ''))}${avoids}`;
}

function whoMatches(able: readonly AgentRoom[], { onAgent }: WaitingJob): string {
  const [only] = able;
  if (only === undefined || able.length > 1) return `${able.length} agents match`;
  const { name } = only.agent;
  return onAgent === null ? `1 agent (${name}) matches` : `waits for agent ${name}`;
}

const COUNTED_EXACTLY = 20;

/**
 * `3 jobs are ahead`, `at least 200 jobs are ahead`. Large numbers are said roughly (20, 50, 100, 200, ...): nobody waits for the 4,711th place to become the
 * 4,710th, and each other sentence is a row to write, for every waiting job, at every pass.
 */
export function jobsAhead(count: number): string {
  if (count === 0) return 'it is next in line';
  if (count > COUNTED_EXACTLY) return `at least ${roughly(count)} jobs are ahead`;
  return `${counted(count, 'job')} ${count === 1 ? 'is' : 'are'} ahead`;
}

function roughly(count: number): number {
  const power = 10 ** Math.floor(Math.log10(count));
  const [step = 1] = [5, 2, 1].filter((each) => each * power <= count);
  return step * power;
}

export function whyOverLimit(user: string, running: number, limit: number): string {
  return running === limit
    ? `${user} already runs ${counted(running, 'job')}, the limit`
    : `${user} already runs ${counted(running, 'job')}, the limit is ${limit}`;
}
