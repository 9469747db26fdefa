import { listed } from './amounts.js';

export interface Abilities {
  readonly architectures: readonly string[];
  readonly labels: readonly string[];
  readonly tools: readonly string[];
}

export interface AbilityNeeds {
  readonly architecture: string;
  readonly labels: readonly string[];
  readonly tools: readonly string[];
}

/** What keeps an agent from ever running a job, however idle it is. */
export type AbilityGap =
  | { readonly kind: 'architecture'; readonly has: readonly string[]; readonly needs: string }
  | { readonly kind: 'labels'; readonly missing: readonly string[] }
  | { readonly kind: 'tools'; readonly missing: readonly string[] }
  | { readonly kind: 'reserved'; readonly labels: readonly string[] };

/**
 * An agent's label `only:gpu` is the label `gpu`, and reserves the agent for jobs that require `gpu`. With several such labels a job must require
 * all of them (as Woodpecker's `!label`).
 */
const RESERVING = 'only:';

/** All gaps between an agent and a job's needs, the ones that are hardest to close first; empty when it can run the job. */
export function abilityGaps(agent: Abilities, needs: AbilityNeeds): readonly AbilityGap[] {
  const gaps: AbilityGap[] = [];
  if (!agent.architectures.includes(needs.architecture)) {
    gaps.push({ kind: 'architecture', has: agent.architectures, needs: needs.architecture });
  }
  const labels = needs.labels.filter((label) => !hasLabel(agent, label));
  if (labels.length > 0) gaps.push({ kind: 'labels', missing: labels });
  const tools = needs.tools.filter((tool) => !agent.tools.includes(tool));
  if (tools.length > 0) gaps.push({ kind: 'tools', missing: tools });
  const reserved = reservedFor(agent).filter((label) => !needs.labels.includes(label));
  if (reserved.length > 0) gaps.push({ kind: 'reserved', labels: reserved });
  return gaps;
}

function hasLabel(agent: Abilities, label: string): boolean {
  return agent.labels.includes(label) || agent.labels.includes(RESERVING + label);
}

function reservedFor(agent: Abilities): readonly string[] {
  const reserving = agent.labels.filter((label) => label.startsWith(RESERVING));
  return reserving.map((label) => label.slice(RESERVING.length));
}

/** `label gpu`, `labels gpu and uefi`, `tool xorriso`. */
export function namedThings(noun: 'label' | 'tool', names: readonly string[]): string {
  const quoted = [...names].sort().map((name) => `\`${name}\``);
  return `${noun}${names.length === 1 ? '' : 's'} ${listed(quoted)}`;
}
