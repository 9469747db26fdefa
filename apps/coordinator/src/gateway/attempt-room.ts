import { Injectable } from '@nestjs/common';
import type { AreaName, AskRoom, RoomAnswer } from '#libs/contracts';
import { findAgent, type AgentRow } from '#libs/store';
import { requireOwnAttempt, type AttemptClaim } from '../attempts/own-attempt.js';
import { CollectCheckpoints } from '../loops/collect-checkpoints.js';
import { Store } from '../store.js';

/** Makes room on the agent of an attempt that has too little, before that fails for want of it. */
@Injectable()
export class AttemptRoom {
  constructor(
    private readonly store: Store,
    private readonly checkpoints: CollectCheckpoints,
  ) {}

  /** Throws STALE_EPOCH when the attempt is no longer the agent's. */
  async ask(
    agent: AgentRow,
    claim: AttemptClaim,
    { freeBytes, wantedBytes: bytes, leastBytes }: AskRoom,
  ): Promise<RoomAnswer> {
    await requireOwnAttempt(this.store.db, claim);
    const now = { ...agent, facts: { ...agent.facts, freeBytes } };
    await this.checkpoints.collect({ agent: now, wanted: { bytes, leastBytes } });
    const { dropping = [] } = (await findAgent(this.store.db, agent.id)) ?? {};
    return { drop: [...dropping] as AreaName[] };
  }
}
