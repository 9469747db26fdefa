import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { countJobsByState, listAgents } from '#libs/store';
import { conditionOf } from './scheduling/candidate-agents.js';
import { Replication } from './scheduling/replication.js';
import { Clock, Store } from './store.js';

/** Seconds. A farm of a thousand agents is to stay below the half. */
const PASS_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** For Prometheus. What is counted is read from the record when it is asked for, so every coordinator says the same. */
@Injectable()
export class Metrics {
  readonly #registry = new Registry();
  readonly #passes = new Histogram({
    name: 'distrofarm_schedule_pass_seconds',
    help: 'How long scheduling passes take, from reading what waits to the last assignment on record',
    buckets: PASS_BUCKETS,
    registers: [this.#registry],
  });

  constructor(store: Store, clock: Clock, replication: Replication) {
    collectDefaultMetrics({ register: this.#registry, prefix: 'distrofarm_coordinator_' });
    new Gauge({
      name: 'distrofarm_jobs',
      help: 'Jobs by state',
      labelNames: ['state'],
      registers: [this.#registry],
      async collect() {
        this.reset();
        for (const [state, count] of await countJobsByState(store.db)) this.set({ state }, count);
      },
    });
    new Gauge({
      name: 'distrofarm_agents',
      help: 'Agents by condition',
      labelNames: ['condition'],
      registers: [this.#registry],
      async collect() {
        this.reset();
        for (const agent of await listAgents(store.db))
          this.inc({ condition: conditionOf(agent, clock.now()) });
      },
    });
    new Gauge({
      name: 'distrofarm_agent_free_bytes',
      help: 'Free space in the store of each agent',
      labelNames: ['agent'],
      registers: [this.#registry],
      async collect() {
        this.reset();
        for (const { name, facts, revokedAt } of await listAgents(store.db))
          if (revokedAt === null) this.set({ agent: name }, facts.freeBytes);
      },
    });
    new Gauge({
      name: 'distrofarm_missing_replicas',
      help: 'Copies of checkpoints that builds want and no agent has yet',
      registers: [this.#registry],
      async collect() {
        this.set((await replication.plan()).missing);
      },
    });
  }

  /** Of this coordinator; passes with nothing to place do not count. */
  countPass(ms: number): void {
    this.#passes.observe(ms / 1000);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    return await this.#registry.metrics();
  }
}
