import { FINGERPRINT_TERM_MS, type AgentId } from '#libs/contracts';
import { abilityGaps } from './ability-gaps.js';
import { listed } from './amounts.js';
import { couldEverRun } from './could-ever-run.js';
import type { AgentCondition, CandidateAgent, JobRequires } from './placement-input.js';

/** A fingerprint that nobody has said yet. */
export interface OpenAsk {
  readonly step: string;
  /** Those of the step; a fingerprint itself needs no room. */
  readonly requires: JobRequires;
  readonly onAgent: AgentId | null;
  /** Who took it last. */
  readonly agent: AgentId | null;
  readonly takenAt: number | null;
  /** Why that agent could not run it; `null`: it has not said so. */
  readonly unable: string | null;
}

/** Drained and paused agents get nothing new, and end what they have. */
const STILL_ANSWERS: readonly AgentCondition[] = ['ready', 'drained', 'paused', 'quarantined'];

/** Whether the agent may take the ask now. Another one's is free again when that one could not run it, is gone, or has let its term pass. */
export function mayTake(
  ask: OpenAsk,
  agent: CandidateAgent,
  agents: readonly CandidateAgent[],
  now: number,
): boolean {
  if (agent.state !== 'ready' || (ask.onAgent !== null && ask.onAgent !== agent.id)) return false;
  if (abilityGaps(agent, ask.requires).length > 0) return false;
  if (ask.agent === null || ask.takenAt === null || now - ask.takenAt >= FINGERPRINT_TERM_MS) return true;
  return ask.agent !== agent.id && (ask.unable !== null || !isThere(ask.agent, agents));
}

/** One may be of a version that asks for nothing, or be slow to hear of it. */
const TOLD_PER_ASK = 3;

/** Agents that are to hear that there is something to ask for: a few for each ask, others with each turn. */
export function whomToTell(
  asks: readonly OpenAsk[],
  agents: readonly CandidateAgent[],
  turn: number,
  now: number,
): ReadonlySet<AgentId> {
  const from = agents.length === 0 ? 0 : (turn * TOLD_PER_ASK) % agents.length;
  const inTurn = [...agents.slice(from), ...agents.slice(0, from)];
  return new Set(
    asks.flatMap((ask) =>
      inTurn
        .filter((agent) => mayTake(ask, agent, agents, now))
        .slice(0, TOLD_PER_ASK)
        .map(({ id }) => id),
    ),
  );
}

function isThere(id: AgentId, agents: readonly CandidateAgent[]): boolean {
  const state = agents.find((agent) => agent.id === id)?.state;
  return state !== undefined && STILL_ANSWERS.includes(state);
}

/** Why a build waits, of which these are asked for: `waits for the fingerprint of step im-pop (agent mill asks since 3 s)`. The first is told of, the others are counted. */
export function whyAsking(
  asks: readonly OpenAsk[],
  agents: readonly CandidateAgent[],
  now: number,
): string {
  const [first] = asks;
  if (first === undefined) return 'the step keys are being worked out';
  const steps = [...new Set(asks.map(({ step }) => step))];
  const what = steps.length === 1 ? 'the fingerprint of step' : 'the fingerprints of steps';
  return `waits for ${what} ${listed(steps)} (${whoAsks(first, agents, now)})`;
}

function whoAsks(ask: OpenAsk, agents: readonly CandidateAgent[], now: number): string {
  const name = agents.find(({ id }) => id === ask.agent)?.name;
  if (name !== undefined && ask.unable !== null) return `agent ${name} could not ask: ${ask.unable}`;
  if (name !== undefined && ask.takenAt !== null)
    return `agent ${name} asks since ${Math.max(0, Math.round((now - ask.takenAt) / 1000))} s`;
  if (agents.some((agent) => mayTake(ask, agent, agents, now))) return 'an agent is to ask';
  const ever = couldEverRun({ requires: ask.requires, onAgent: ask.onAgent }, agents);
  if (!ever.possible) return `no agent can ask: ${ever.sentence}`;
  const able = agents.filter(({ id }) => ever.agents.includes(id));
  return `no agent that can ask is ready: ${listed(able.map((agent) => `${agent.name} is ${agent.state}`))}`;
}
