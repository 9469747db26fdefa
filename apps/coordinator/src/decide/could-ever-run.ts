import type { AgentId } from '#libs/contracts';
import { abilityGaps, namedThings, type AbilityGap } from './ability-gaps.js';
import { countShort, countVerdicts, describeVerdict } from './agent-verdict.js';
import { humanSize, listed } from './amounts.js';
import type { CandidateAgent, JobRequires, WaitingJob } from './placement-input.js';

export interface EverRun {
  readonly possible: boolean;
  /** Agents that could, in the order given. */
  readonly agents: readonly AgentId[];
  /** How many could and why the others not; for a refusal, what is missing and what the farm has. */
  readonly sentence: string;
}

/** Agents as far as they are asked for what they could do, not for what they do now. */
export type EnrolledAgent = Pick<
  CandidateAgent,
  'id' | 'name' | 'architectures' | 'labels' | 'tools' | 'totalBytes' | 'state'
>;

/**
 * Whether any agent could run a job, were it idle and ready. Revoked agents are none of the farm's. Space is compared with all that an agent's store has, since
 * what fills it can be given up.
 */
export function couldEverRun(
  { requires, onAgent }: Pick<WaitingJob, 'requires' | 'onAgent'>,
  agents: readonly EnrolledAgent[],
): EverRun {
  const asked = agents.filter(({ id, state }) => state !== 'revoked' && (onAgent === null || id === onAgent));
  const judged = asked.map((agent) => ({ agent, lacks: lacksOf(agent, requires) }));
  const able = judged.filter(({ lacks }) => lacks.length === 0).map(({ agent }) => agent.id);
  const possible = able.length > 0;
  const sentence = possible
    ? describeAble(able.length, judged)
    : describeRefusal({ requires, onAgent }, judged);
  return { possible, agents: able, sentence };
}

type Lack = AbilityGap | { readonly kind: 'no-space'; readonly missingBytes: number };
interface Judged {
  readonly agent: EnrolledAgent;
  readonly lacks: readonly Lack[];
}

function lacksOf(agent: EnrolledAgent, requires: JobRequires): readonly Lack[] {
  const missingBytes = requires.freeBytes - agent.totalBytes;
  const gaps = abilityGaps(agent, requires);
  return missingBytes > 0 ? [...gaps, { kind: 'no-space', missingBytes }] : gaps;
}

/** `2 of 6 agents could run it: 3 wrong architecture, 1 lacks tool xorriso`. */
function describeAble(able: number, judged: readonly Judged[]): string {
  const verdicts = judged.flatMap(({ lacks }) => lacks.slice(0, 1));
  const short = verdicts.flatMap((lack) => (lack.kind === 'no-space' ? [lack.missingBytes] : []));
  const parts = [
    countVerdicts(verdicts.filter(({ kind }) => kind !== 'no-space')),
    short.length > 0 ? countShort(short.length, Math.min(...short)) : '',
  ].filter((part) => part !== '');
  const others = parts.length > 0 ? `: ${parts.join(', ')}` : '';
  return `${able} of ${judged.length} agents could run it${others}`;
}

function describeRefusal(
  { requires, onAgent }: Pick<WaitingJob, 'requires' | 'onAgent'>,
  judged: readonly Judged[],
): string {
  const [first] = judged;
  if (first === undefined) {
    return onAgent === null ? 'the farm has no agents' : `agent ${onAgent} is not in the farm`;
  }
  if (onAgent !== null) {
    return `it is to run on agent ${first.agent.name}, which ${describeLacks(first.lacks, requires)}`;
  }
  const agents = judged.map(({ agent }) => agent);
  const missing = missingEverywhere(requires, agents);
  const what = missing.length === 0 ? 'no agent has all that it needs' : missing.join('; ');
  return `${what}; ${nearest(judged, requires)}`;
}

/** What no agent of the farm has, each with what the farm has instead: enrolling an agent or installing something is the only help. */
function missingEverywhere(requires: JobRequires, agents: readonly EnrolledAgent[]): readonly string[] {
  const nobodyHas = (needs: Partial<JobRequires>): boolean =>
    agents.every((agent) => lacksAlone(agent, needs));
  const { architecture, freeBytes, labels, tools } = requires;
  const largest = Math.max(...agents.map(({ totalBytes }) => totalBytes));
  return [
    ...(nobodyHas({ architecture })
      ? [`needs architecture ${architecture}; the farm has ${architecturesOf(agents)}`]
      : []),
    ...labels
      .filter((label) => nobodyHas({ labels: [label] }))
      .map((label) => `needs ${namedThings('label', [label])}; no agent has it`),
    ...tools
      .filter((tool) => nobodyHas({ tools: [tool] }))
      .map((tool) => `needs ${namedThings('tool', [tool])}; no agent has it`),
    ...(freeBytes > largest
      ? [`needs ${humanSize(freeBytes)} of space; the largest store has ${humanSize(largest)}`]
      : []),
  ];
}

function lacksAlone(agent: EnrolledAgent, needs: Partial<JobRequires>): boolean {
  const [architecture = ''] = agent.architectures;
  const gaps = abilityGaps(agent, { architecture, labels: [], tools: [], ...needs });
  return gaps.some(({ kind }) => kind !== 'reserved');
}

function architecturesOf(agents: readonly EnrolledAgent[]): string {
  return listed([...new Set(agents.flatMap(({ architectures }) => architectures))].sort());
}

/** The agent with the fewest lacks; of several the one whose name comes first. */
function nearest(judged: readonly Judged[], requires: JobRequires): string {
  const [first] = judged.toSorted(
    (a, b) => a.lacks.length - b.lacks.length || (a.agent.name < b.agent.name ? -1 : 1),
  );
  if (first === undefined) return '';
  return `nearest is agent ${first.agent.name}, which ${describeLacks(first.lacks, requires)}`;
}

/** `lacks only tool xorriso`, `is for arm64, not for i386 and lacks label gpu`. */
function describeLacks(lacks: readonly Lack[], requires: JobRequires): string {
  const words = lacks.map((lack) => describeLack(lack, requires));
  return lacks.length === 1 ? listed(words).replace(/^lacks/, 'lacks only') : listed(words);
}

function describeLack(lack: Lack, { architecture }: JobRequires): string {
  switch (lack.kind) {
    case 'architecture':
      return `is for ${listed(lack.has)}, not for ${architecture}`;
    case 'no-space':
      return `is ${humanSize(lack.missingBytes)} too small`;
    case 'labels':
    case 'tools':
    case 'reserved':
      return describeVerdict(lack);
  }
}
