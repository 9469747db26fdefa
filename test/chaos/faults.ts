import { setTimeout as sleep } from 'node:timers/promises';
import { LEASE_MS, type ChaosFarm } from './chaos-farm.js';
import type { Random } from './random.js';

export interface Fault {
  readonly name: string;
  readonly group: 'agent' | 'coordinator' | 'redis' | 'database' | 'network' | 'disk' | 'user';
  /** Does it, and takes it back. */
  readonly inject: (chaos: ChaosFarm, random: Random) => Promise<void>;
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'agent-killed',
    group: 'agent',
    inject: async (chaos, random) => {
      const host = random.pick(chaos.hosts);
      await chaos.alone(`agent ${host.number}`, async () => {
        await chaos.agentOn(host).kill9();
        await sleep(random.between(0, LEASE_MS * 1.5));
        await chaos.startAgent(host);
      });
    },
  },
  {
    name: 'coordinator-killed',
    group: 'coordinator',
    inject: async (chaos, random) => {
      await chaos.alone('coordinator', async () => {
        await chaos.farm.coordinators[0]!.kill9();
        await sleep(random.between(0, LEASE_MS * 1.5));
        await chaos.farm.startCoordinator();
      });
    },
  },
  {
    name: 'redis-killed',
    group: 'redis',
    inject: async (chaos, random) => {
      await chaos.alone('redis', async () => {
        await chaos.farm.redis.kill9();
        await sleep(random.between(0, LEASE_MS));
        await chaos.farm.startRedis();
      });
    },
  },
];
