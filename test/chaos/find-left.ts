import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentView } from '#libs/contracts';
import { processesWith } from '../support/processes-with.js';
import type { ChaosFarm } from './chaos-farm.js';

/** What a farm at rest should not have any more, each in words. */
export async function findLeft(chaos: ChaosFarm): Promise<readonly string[]> {
  const { farm } = chaos;
  const left = [...chaos.endedByThemselves.splice(0)].map((text) => `a program ended by itself: ${text}`);
  const steps = await processesWith(`${farm.folder}/agent`);
  if (steps > 0) left.push(`${steps} processes of steps`);
  const known = new Set(farm.events.all.map(({ build }): string => build ?? ''));
  for (const host of chaos.hosts) {
    const spool = join(farm.agentFolder(host.index), 'state/spool');
    const attempts = await readdir(spool).catch(() => []);
    if (attempts.length > 0) left.push(`agent${host.index}: undelivered ${attempts.join(', ')}`);
    const unknown = (await chaos.areasOn(host)).filter((area) => !known.has(area.split('.')[0] ?? ''));
    if (unknown.length > 0) left.push(`agent${host.index}: nobody's ${unknown.join(', ')}`);
  }
  return [...left, ...(await leftInRedis(chaos))];
}

/** Messages that nobody has fetched. What was fetched and never finished off goes when its lock has run out and the agent asks again, within minutes. */
async function leftInRedis(chaos: ChaosFarm): Promise<readonly string[]> {
  const { agents } = await chaos.ask<{ agents: AgentView[] }>('/agents');
  const left: string[] = [];
  for (const { id, name } of agents) {
    const messages = await chaos.farm.redisCli('lrange', `{farm}:agent-${id}:wait`, '0', '-1');
    if (messages !== '') left.push(`in Redis, for ${name}: ${messages.replaceAll('\n', ', ')}`);
  }
  return left;
}
