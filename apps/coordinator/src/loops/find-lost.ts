import { Injectable } from '@nestjs/common';
import {
  attemptsPastLease,
  findAgent,
  markAgentLost,
  openAttempts,
  silentAgents,
  unpauseDueAgents,
} from '#libs/store';
import { EndAttempts } from '../attempts/end-attempts.js';
import { CoordinatorConfig } from '../config.js';
import { expiredAttempts, watchOn, type Watch } from '../decide/lease-policy.js';
import { Clock, Store } from '../store.js';
import { Work } from '../work.js';

/** Says which agents are lost, and gives back what they had. */
@Injectable()
export class FindLost {
  #watch: Watch | null = null;

  constructor(
    private readonly store: Store,
    private readonly work: Work,
    private readonly endings: EndAttempts,
    private readonly config: CoordinatorConfig,
    private readonly clock: Clock,
  ) {}

  /**
   * @param dutySince when this coordinator began to watch: nobody is lost before it has watched for a whole lease, since while no coordinator was there,
   * no agent could renew
   */
  async pass(dutySince: number): Promise<void> {
    await this.#unpause();
    const now = this.clock.now();
    const look = { dutySince, wallMs: now, monotonicMs: this.clock.monotonic() };
    const { since } = (this.#watch = watchOn(this.#watch, look, this.config.leaseMs));
    if (now - since < this.config.leaseMs) return;
    await this.#markLost(now);
    await this.#endExpired(now, since);
  }

  async #unpause(): Promise<void> {
    await this.work.change(async (tx, changes, now) => {
      for (const agent of await unpauseDueAgents(tx, now)) {
        changes.event('agent-unpaused', { agent }, { by: 'its own end' });
      }
    });
  }

  async #markLost(now: number): Promise<void> {
    const before = now - this.config.leaseMs;
    for (const agent of await silentAgents(this.store.db, before)) {
      await this.work.change(async (tx, changes) => {
        if (await markAgentLost(tx, agent.id, before, now))
          changes.event(
            'agent-lost',
            { agent: agent.id },
            { name: agent.name, lastSeenAt: agent.lastSeenAt },
          );
      });
    }
  }

  async #endExpired(now: number, since: number): Promise<void> {
    const { db } = this.store;
    const past = (await attemptsPastLease(db, now)).map((row) => ({ ...row, leaseUntil: row.lease_until }));
    for (const attempt of expiredAttempts(past, now, since, this.config.leaseMs)) {
      const agent = (await findAgent(db, attempt.agent_id))?.name ?? attempt.agent_id;
      await this.work.change(async (tx, changes, at) => {
        // Renewed meanwhile?
        const still = (await openAttempts(tx, attempt.agent_id)).find(({ id }) => id === attempt.id);
        if (still === undefined || (still.lease_until ?? 0) > at) return;
        const seconds = Math.round(this.config.leaseMs / 1000);
        const reason =
          still.state === 'assigned'
            ? `agent ${agent} did not fetch it within ${seconds} s`
            : `agent ${agent} was lost: it did not renew its lease for ${seconds} s`;
        const end =
          still.state === 'assigned'
            ? ({ kind: 'withdrawn', reason } as const)
            : ({ kind: 'infrastructure', fault: 'lost', at: null, reason } as const);
        await this.endings.end(tx, changes, still, end, at);
      });
    }
  }
}
