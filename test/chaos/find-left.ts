import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentView } from '#libs/contracts';
import { processesWith } from '../support/processes-with.js';
import type { AgentHost, ChaosFarm } from './chaos-farm.js';

/** Longer than a lock of libs/queue's holds, and than an agent's question and a look for locks that have run out may take after it. */
const LOCKS_MS = 240_000;

/** What a farm at rest should not have any more, each in words. */
export async function findLeft(chaos: ChaosFarm): Promise<readonly string[]> {
  const { farm } = chaos;
  const left = [...chaos.endedByThemselves.splice(0)].map((text) => `a program ended by itself: ${text}`);
  const steps = await processesWith(`${farm.folder}/agent`);
  if (steps > 0) left.push(`${steps} processes of steps`);
  const known = new Set(farm.events.all.map(({ build }): string => build ?? ''));
  for (const host of chaos.hosts) {
    const attempts = await undelivered(chaos, host);
    if (attempts.length > 0) left.push(`agent${host.index}: undelivered ${attempts.join(', ')}`);
    const unknown = (await chaos.areasOn(host)).filter((area) => !known.has(area.split('.')[0] ?? ''));
    if (unknown.length > 0) left.push(`agent${host.index}: nobody's ${unknown.join(', ')}`);
  }
  return [...left, ...(await leftInRedis(chaos))];
}

/** Attempts of which the agent has something to tell yet. */
export async function undelivered({ farm }: ChaosFarm, { index }: AgentHost): Promise<readonly string[]> {
  return await readdir(join(farm.agentFolder(index), 'state/spool')).catch(() => []);
}

/** Messages that nobody has fetched. */
async function leftInRedis(chaos: ChaosFarm): Promise<readonly string[]> {
  const { agents } = await chaos.ask<{ agents: AgentView[] }>('/agents');
  const left: string[] = [];
  for (const { id, name } of agents) {
    const messages = await chaos.farm.redisCli('lrange', `{farm}:agent-${id}:wait`, '0', '-1');
    if (messages !== '') left.push(`in Redis, for ${name}: ${messages.replaceAll('\n', ', ')}`);
  }
  return left;
}

/**
 * What is still in a farm's Redis when it has been at rest for so long that no lock holds any more. A message that a killed coordinator had fetched is dropped when its agent
 * asks again after that.
 */
export async function findLeftInTheEnd(chaos: ChaosFarm): Promise<readonly string[]> {
  for (let waited = 0; ; waited += 1_000) {
    const left = await messagesInRedis(chaos);
    if (left.length === 0 || waited >= LOCKS_MS) return left;
    await sleep(1_000);
  }
}

/** In all lists that BullMQ has of what is not done, of all agents that ever were. */
async function messagesInRedis({ farm }: ChaosFarm): Promise<readonly string[]> {
  const keys = (await farm.redisCli('--scan', '--pattern', '{farm}:agent-*')).split('\n');
  const left: string[] = [];
  for (const key of keys) {
    const list = /:(wait|paused|active|prioritized|delayed)$/.exec(key)?.[1];
    if (list === undefined) continue;
    const range = list === 'delayed' || list === 'prioritized' ? 'zrange' : 'lrange';
    const messages = await farm.redisCli(range, key, '0', '-1');
    if (messages !== '') left.push(`in Redis, ${key}: ${messages.replaceAll('\n', ', ')}`);
  }
  return left;
}
