import type { AgentFacts, AgentId } from '#libs/contracts';
import type { AgentRow } from '#libs/store';

/** An agent as others see it that want its checkpoints, or have some for it. */
export interface Peer {
  readonly id: AgentId;
  readonly store: AgentFacts['store']['kind'];
  /** It said where others reach it, which also means that it fetches. */
  readonly listens: boolean;
  readonly isGone: boolean;
}

export function peerOf({
  id,
  facts,
  peer,
  lostAt,
  revokedAt,
}: Pick<AgentRow, 'id' | 'facts' | 'peer' | 'lostAt' | 'revokedAt'>): Peer {
  return {
    id,
    store: facts.store.kind,
    listens: peer !== null,
    isGone: lostAt !== null || revokedAt !== null,
  };
}

/** Whether the one agent could fetch checkpoints from the other. A drained or paused one still sends: that is how it gets empty. */
export function canSendTo(source: Peer, receiver: Peer): boolean {
  return (
    source.id !== receiver.id &&
    source.store === receiver.store &&
    source.listens &&
    receiver.listens &&
    !source.isGone
  );
}
