import { abilityGaps, namedThings, type AbilityGap } from './ability-gaps.js';
import { counted, humanSize, listed } from './amounts.js';
import type { AgentCondition, CandidateAgent, Holders, WaitingJob } from './placement-input.js';

/** Whether an agent may get a job, leaving its free slots and other jobs aside; else the first thing that speaks against it. */
export type AgentVerdict =
  | { readonly kind: 'able' }
  | AbilityGap
  /** The job is for another agent. */
  | { readonly kind: 'not-chosen' }
  /** It does not hold what the job goes on from, and nobody else could send it. */
  | { readonly kind: 'no-state' }
  | {
      readonly kind: 'unavailable';
      readonly state: Exclude<AgentCondition, 'ready'>;
      readonly reason: string;
      readonly until: number | null;
    }
  | { readonly kind: 'no-space'; readonly missingBytes: number }
  /** The job failed there, and another agent is able. Given by `placeJobs`, which sees the others. */
  | { readonly kind: 'avoided' };

const ABLE: AgentVerdict = { kind: 'able' };

/** The hardest obstacle first, so that "1 drained" says that undraining it would help. */
export function judgeAgent(agent: CandidateAgent, job: WaitingJob, holders: Holders): AgentVerdict {
  const gap = abilityGaps(agent, job.requires)[0];
  return gap ?? judgeAbleAgent(agent, job, holders);
}

/** As `judgeAgent`, of an agent whose abilities are known to be enough. */
export function judgeAbleAgent(agent: CandidateAgent, job: WaitingJob, holders: Holders): AgentVerdict {
  if (job.onAgent !== null && job.onAgent !== agent.id) return { kind: 'not-chosen' };
  if (!holdsState(agent, job, holders)) return { kind: 'no-state' };
  if (agent.state !== 'ready') {
    return { kind: 'unavailable', state: agent.state, reason: agent.reason, until: agent.until };
  }
  const missingBytes = job.requires.freeBytes - agent.freeBytes;
  return missingBytes > 0 ? { kind: 'no-space', missingBytes } : ABLE;
}

function holdsState(agent: CandidateAgent, job: WaitingJob, holders: Holders): boolean {
  const { base } = job.wants;
  return base === null || base.published || (holders.get(base.lineage)?.has(agent.id) ?? false);
}

const STATE_WORDS: Readonly<Record<Exclude<AgentCondition, 'ready'>, string>> = {
  drained: 'drained',
  paused: 'paused',
  lost: 'lost',
  revoked: 'revoked',
  leaving: 'stopping',
  quarantined: 'quarantined after failures',
};

/** The verdict on one agent: `wrong architecture: has arm64, needs i386`, `drained by bob: new disk`. */
export function describeVerdict(verdict: AgentVerdict): string {
  switch (verdict.kind) {
    case 'able':
      return 'can run it';
    case 'architecture':
      return `wrong architecture: has ${listed(verdict.has)}, needs ${verdict.needs}`;
    case 'labels':
    case 'tools':
      return `lacks ${namedThings(verdict.kind === 'labels' ? 'label' : 'tool', verdict.missing)}`;
    case 'reserved':
      return `takes only jobs that require ${namedThings('label', verdict.labels)}`;
    case 'not-chosen':
      return 'the job is to run on another agent';
    case 'no-state':
      return 'does not hold the state that the job goes on from';
    case 'unavailable':
      return describeUnavailable(verdict);
    case 'no-space':
      return `needs ${humanSize(verdict.missingBytes)} more free space`;
    case 'avoided':
      return 'avoided: the job failed there, and others can run it';
  }
}

function describeUnavailable(verdict: AgentVerdict & { readonly kind: 'unavailable' }): string {
  const by = verdict.reason === '' ? '' : ` by ${verdict.reason}`;
  const until = verdict.until === null ? '' : `, until ${new Date(verdict.until).toISOString()}`;
  return `${STATE_WORDS[verdict.state]}${by}${until}`;
}

/** As the end of "agent tank, which …". */
export function whichClause(verdict: AgentVerdict): string {
  switch (verdict.kind) {
    case 'architecture':
      return `which is for ${listed(verdict.has)}, not for ${verdict.needs}`;
    case 'unavailable':
      return `which is ${describeUnavailable(verdict)}`;
    case 'able':
    case 'not-chosen':
    case 'avoided':
      return `which cannot take it: ${describeVerdict(verdict)}`;
    case 'labels':
    case 'tools':
    case 'reserved':
    case 'no-state':
    case 'no-space':
      return `which ${describeVerdict(verdict)}`;
  }
}

/** `4 wrong architecture, 1 drained, 1 needs 3.2 GB more`: verdicts of the same words counted together, in the order of `judgeAgent`. */
export function countVerdicts(verdicts: readonly AgentVerdict[]): string {
  const groups = new Map<string, AgentVerdict[]>();
  for (const verdict of verdicts) {
    const key = groupOf(verdict);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [verdict]);
    else group.push(verdict);
  }
  const ordered = [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  return ordered.map(([, group]) => countGroup(group)).join(', ');
}

const ORDER: Readonly<Record<AgentVerdict['kind'], string>> = {
  architecture: 'a',
  labels: 'b',
  tools: 'c',
  reserved: 'd',
  'not-chosen': 'e',
  'no-state': 'f',
  unavailable: 'g',
  'no-space': 'h',
  avoided: 'i',
  able: 'j',
};

function groupOf(verdict: AgentVerdict): string {
  const order = ORDER[verdict.kind];
  if (verdict.kind === 'unavailable') return `${order} ${STATE_WORDS[verdict.state]}`;
  if (verdict.kind === 'labels' || verdict.kind === 'tools') {
    return `${order} ${namedThings('label', verdict.missing)}`;
  }
  return verdict.kind === 'reserved' ? `${order} ${namedThings('label', verdict.labels)}` : order;
}

/** All of `group` are of one kind, and differ in sizes at most. */
function countGroup(group: readonly AgentVerdict[]): string {
  const count = group.length;
  const one = count === 1;
  const verdict = group[0] ?? ABLE;
  switch (verdict.kind) {
    case 'architecture':
      return `${count} wrong architecture`;
    case 'labels':
    case 'tools':
      return `${count} ${one ? 'lacks' : 'lack'} ${namedThings(verdict.kind === 'labels' ? 'label' : 'tool', verdict.missing)}`;
    case 'reserved':
      return `${count} reserved for ${namedThings('label', verdict.labels)}`;
    case 'not-chosen':
      return `${count} not the chosen one`;
    case 'no-state':
      return `${count} without the state it goes on from`;
    case 'unavailable':
      return `${count} ${STATE_WORDS[verdict.state]}`;
    case 'no-space':
      return countShort(count, Math.min(...group.map(missingBytesOf)));
    case 'avoided':
      return `${counted(count, 'agent')} avoided`;
    case 'able':
      return `${count} can run it`;
  }
}

/** `1 needs 3.2 GB more`, `2 need at least 3.2 GB more`. */
export function countShort(count: number, leastMissingBytes: number): string {
  return `${count} ${count === 1 ? 'needs' : 'need at least'} ${humanSize(leastMissingBytes)} more`;
}

function missingBytesOf(verdict: AgentVerdict): number {
  return verdict.kind === 'no-space' ? verdict.missingBytes : Infinity;
}
