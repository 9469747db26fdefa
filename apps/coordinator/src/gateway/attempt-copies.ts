import { Injectable } from '@nestjs/common';
import type { CheckpointRef, CopiesAnswer } from '#libs/contracts';
import { listAgents, setCopiesLate, type AttemptRow } from '#libs/store';
import { requireOwnAttempt, type AttemptClaim } from '../attempts/own-attempt.js';
import { CoordinatorConfig } from '../config.js';
import { judgeCopies } from '../decide/judge-copies.js';
import { Replication } from '../scheduling/replication.js';
import { Clock, Store } from '../store.js';
import { Work } from '../work.js';

/** Tells running attempts whether their checkpoints are where they are wanted, and remembers which are in want of that: such copies come first. */
@Injectable()
export class AttemptCopies {
  constructor(
    private readonly store: Store,
    private readonly work: Work,
    private readonly replication: Replication,
    private readonly config: CoordinatorConfig,
    private readonly clock: Clock,
  ) {}

  /** Throws STALE_EPOCH when the attempt is no longer the agent's. */
  async ask(claim: AttemptClaim, checkpoint: CheckpointRef): Promise<CopiesAnswer> {
    const { db } = this.store;
    const attempt = await requireOwnAttempt(db, claim);
    const copies = await this.replication.copiesFor(attempt.job_id, checkpoint.id);
    if (copies === 'not wanted') return { kind: 'there' };
    const waiting = copies === null || copies.receivers.length > 0;
    const agents = waiting ? await listAgents(db) : [];
    const answer = judgeCopies({
      copies,
      lateSince: attempt.copies_late_since,
      now: this.clock.now(),
      limitMs: this.config.replicaWaitMs,
      nameOf: (agent) => agents.find(({ id }) => id === agent)?.name ?? agent,
    });
    const isNews = await this.#remember(attempt, checkpoint, answer);
    // Who brought a copy in between could not know that somebody waits for it, and told nobody.
    return isNews && answer.kind !== 'there' ? await this.ask(claim, checkpoint) : answer;
  }

  /** What is in want of a copy is so from its first asking until the copy is there, whether or not it goes on. Resolves to whether that was not on record. */
  async #remember(attempt: AttemptRow, { label }: CheckpointRef, { kind }: CopiesAnswer): Promise<boolean> {
    const { copies_late_since: since, copies_late_of: of } = attempt;
    if (kind === 'there' ? since === null : of === label) return false;
    await this.work.change(async (tx, changes, now) => {
      const late = kind === 'there' ? null : { since: since ?? now, of: label };
      await setCopiesLate(tx, attempt.id, late);
      changes.wantsReplicas = kind !== 'there';
    });
    return true;
  }
}
