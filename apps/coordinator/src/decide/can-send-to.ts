/** An agent, as far as fetching from each other goes. */
export interface Peer {
  readonly id: string;
  readonly facts: { readonly store: { readonly kind: string } };
  /** Where others reach it; `null`: nowhere. */
  readonly peer: object | null;
  readonly lostAt: number | null;
  readonly revokedAt: number | null;
}

/** Whether the one agent could fetch checkpoints from the other. A drained or paused one still sends: that is how it gets empty. */
export function canSendTo(source: Peer, receiver: Pick<Peer, 'id' | 'facts' | 'peer'>): boolean {
  return (
    source.id !== receiver.id &&
    source.facts.store.kind === receiver.facts.store.kind &&
    source.peer !== null &&
    receiver.peer !== null &&
    source.lostAt === null &&
    source.revokedAt === null
  );
}
