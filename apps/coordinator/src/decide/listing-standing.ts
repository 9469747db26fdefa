import { LISTING_TERM_MS, type AgentId, type ComparedCheckpoint } from '#libs/contracts';
import { listed } from './amounts.js';

/** As the record has it. */
export interface AskedListing {
  readonly asked_at: number;
  readonly agent_id: AgentId | null;
  readonly taken_at: number | null;
  readonly answered_at: number | null;
  readonly sha256: string | null;
  readonly entries: number | null;
  readonly bytes: number | null;
  readonly failure: string | null;
}

export interface ListingAgent {
  readonly id: AgentId;
  readonly name: string;
  readonly lostAt: number | null;
  readonly revokedAt: number | null;
  /** `null`: it has never said hello. */
  readonly instance: string | null;
}

/** Whether the agent, which holds the checkpoint, may list it now. Another one's ask is free again when that one is gone, or has let its term pass. */
export function mayList(
  ask: Pick<AskedListing, 'agent_id' | 'taken_at'>,
  agents: readonly ListingAgent[],
  now: number,
): boolean {
  if (ask.agent_id === null || ask.taken_at === null || now - ask.taken_at >= LISTING_TERM_MS) return true;
  return !agents.some((agent) => agent.id === ask.agent_id && isThere(agent));
}

/** An agent takes an ask at once; one that does not may be of a version that knows of none. */
const PROMPT_MS = 20_000;

/** What has become of a listing, in words. */
export function listingStanding(
  ask: AskedListing,
  holders: readonly ListingAgent[],
  now: number,
): ComparedCheckpoint['listing'] {
  if (ask.sha256 !== null)
    return {
      state: 'ready',
      entries: ask.entries ?? 0,
      bytes: ask.bytes ?? 0,
      madeAt: ask.answered_at ?? ask.asked_at,
    };
  if (ask.failure !== null) return { state: 'failed', why: ask.failure };
  if (holders.length === 0)
    return {
      state: 'failed',
      why: 'no agent holds the checkpoint any more, and nobody has listed it before',
    };
  const there = holders.filter(isThere);
  const names = listed(holders.map(({ name }) => name));
  if (there.length === 0)
    return {
      state: 'failed',
      why: `${holders.length === 1 ? `agent ${names}, which holds it, is` : `agents ${names}, which hold it, are`} not connected`,
    };
  const taker = there.find(({ id }) => id === ask.agent_id);
  if (taker !== undefined && ask.taken_at !== null && now - ask.taken_at < LISTING_TERM_MS)
    return { state: 'waiting', why: `agent ${taker.name} lists it`, since: ask.taken_at };
  const asked = `${there.length === 1 ? 'agent' : 'agents'} ${listed(there.map(({ name }) => name))}`;
  const isLate = now - ask.asked_at >= PROMPT_MS;
  return {
    state: 'waiting',
    why: `${asked} ${there.length === 1 ? 'is' : 'are'} to list it${isLate ? '; an agent of an older version cannot' : ''}`,
    since: ask.asked_at,
  };
}

function isThere({ lostAt, revokedAt, instance }: ListingAgent): boolean {
  return lostAt === null && revokedAt === null && instance !== null;
}
