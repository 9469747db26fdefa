// Needs root, Linux namespaces, ZFS with a pool named in DC_TEST_POOL (scripts/with-zfs.sh), and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { ZfsCommand } from '#libs/snapshots';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { execa } from 'execa';
import { readFile } from 'node:fs/promises';
import { TestAgent, waitFor, type FarmStep } from '../support/test-agent.js';

jest.setTimeout(300_000);

const STORE = `${process.env['DC_TEST_POOL'] ?? 'DC_TEST_POOL'}/agent`;

let agent: TestAgent;
beforeEach(async () => {
  agent = await TestAgent.create(STORE);
});
afterEach(async () => {
  await agent.remove();
  await new ZfsCommand().zfsRetrying(['BUSY'], 'destroy', '-R', STORE);
});

async function datasets(): Promise<readonly string[]> {
  const { stdout } = await execa('zfs', ['list', '-H', '-r', '-t', 'all', '-o', 'name', STORE]);
  return stdout.split('\n').map((name) => name.slice(STORE.length).replace(/^\/b-[^/@]+/, ''));
}

const mounts = async (): Promise<number> =>
  (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter((line) => line.includes(`${STORE}/`))
    .length;

describe('an agent on ZFS', () => {
  it('runs two jobs of one area at once, leaves checkpoints and no mounts, and drops the area when told to', async () => {
    const steps: readonly FarmStep[] = [
      { name: 'a' },
      { name: 'iso', lane: 'iso', body: waitFor('iso') },
      { name: 'usb', lane: 'usb', body: waitFor('usb') },
    ];
    await agent.start(2);
    const { coordinator } = agent;
    const first = agent.assignment(steps);
    const main = coordinator.give(first);
    expect(await coordinator.end(main)).toEqual({ kind: 'succeeded' });
    const checkpoint = coordinator.events(main, 'checkpoint-taken').at(-1)!.holding.id;
    const base = { workspace: 'build_data', label: '.end_a', lineage: first.lineage, checkpoint, tree: null };
    const usb = agent.assignment(steps, { jobIndex: 2, base });
    const running = coordinator.give(usb);
    await agent.gate('usb-waits');
    // While that one runs, its neighbour is made, cancelled, and made again from the same base.
    const iso = coordinator.give(agent.assignment(steps, { jobIndex: 1, base }));
    await agent.gate('iso-waits');
    coordinator.want(iso, { wish: 'cancel' });
    expect(await coordinator.end(iso)).toMatchObject({ kind: 'cancelled' });
    await agent.open('iso');
    const again = coordinator.give(agent.assignment(steps, { jobIndex: 1, base, lineage: 'again' }));
    expect(await coordinator.end(again)).toEqual({ kind: 'succeeded' });
    await agent.open('usb');
    expect(await coordinator.end(running)).toEqual({ kind: 'succeeded' });
    await coordinator.until(() => coordinator.heartbeats.at(-1)?.attempts.length === 0);
    expect(await mounts()).toBe(0);
    expect((await datasets()).filter((name) => name.includes('@')).toSorted()).toEqual([
      '/build_data.iso@.step_iso',
      '/build_data.usb@.step_usb',
      '/build_data@.end_a',
      '/build_data@.step_a',
      '/build_data@empty',
    ]);
    coordinator.drop = [first.area];
    await coordinator.until(() => coordinator.drop.length === 0);
    expect(await datasets()).toEqual(['', '/reserve']);
  });
});
