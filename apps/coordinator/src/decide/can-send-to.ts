import type { AgentRow } from '#libs/store';

/** Whether the one agent could fetch checkpoints from the other. A drained or paused one still sends: that is how it gets empty. */
export function canSendTo(
  source: Pick<AgentRow, 'id' | 'facts' | 'peer' | 'lostAt' | 'revokedAt'>,
  receiver: Pick<AgentRow, 'id' | 'facts' | 'peer'>,
): boolean {
  return (
    source.id !== receiver.id &&
    source.facts.store.kind === receiver.facts.store.kind &&
    source.peer !== null &&
    receiver.peer !== null &&
    source.lostAt === null &&
    source.revokedAt === null
  );
}
