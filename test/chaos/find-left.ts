import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { processesWith } from '../support/processes-with.js';
import type { ChaosFarm } from './chaos-farm.js';

/** What a farm at rest should not have any more, each in words. */
export async function findLeft(chaos: ChaosFarm): Promise<readonly string[]> {
  const { farm } = chaos;
  const left = [...chaos.endedByThemselves.splice(0)].map((text) => `a program ended by itself: ${text}`);
  const steps = await processesWith(`${farm.folder}/agent`);
  if (steps > 0) left.push(`${steps} processes of steps`);
  for (const host of chaos.hosts) {
    const spool = join(farm.agentFolder(host.index), 'state/spool');
    const attempts = await readdir(spool).catch(() => []);
    if (attempts.length > 0) left.push(`agent${host.index}: undelivered ${attempts.join(', ')}`);
  }
  return [...left, ...(await leftInRedis(chaos))];
}

/** Messages that nobody has fetched, and those that nobody would ever finish off: fetched, and without a lock. */
async function leftInRedis({ farm }: ChaosFarm): Promise<readonly string[]> {
  const left: string[] = [];
  for (const key of (await farm.redisCli('keys', '*agent-*')).split('\n')) {
    const [, queue = '', list] = /^(.*):(wait|prioritized|delayed|active)$/.exec(key) ?? [];
    if (list === undefined) continue;
    const range = list === 'delayed' || list === 'prioritized' ? 'zrange' : 'lrange';
    for (const message of (await farm.redisCli(range, key, '0', '-1')).split('\n')) {
      const isHeld = list === 'active' && (await farm.redisCli('exists', `${queue}:${message}:lock`)) !== '0';
      if (!isHeld) left.push(`in Redis: ${message} in ${key}`);
    }
  }
  return left;
}
