import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { countJobsByState, listAgents } from '#libs/store';
import { conditionOf } from './scheduling/candidate-agents.js';
import { Clock, Store } from './store.js';

/** For Prometheus. What is counted is read from the record when it is asked for, so every coordinator says the same. */
@Injectable()
export class Metrics {
  readonly #registry = new Registry();

  constructor(store: Store, clock: Clock) {
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
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    return await this.#registry.metrics();
  }
}
