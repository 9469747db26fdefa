import { describe, expect, it } from '@jest/globals';
import type { AgentId, BuildId, CollectedAs } from '#libs/contracts';
import type { HeldArea, HeldBuild } from './collection-order.js';
import { dropCheckpoints, type WantedDrop } from './drop-checkpoints.js';

const [MILL, LIME] = ['a-mill', 'a-lime'] as AgentId[];
const [ROOT, LEAF] = ['b-root', 'b-leaf'] as BuildId[];

const area = (change: Partial<HeldArea> = {}): HeldArea => ({
  ...{
    agent: MILL!,
    build: ROOT!,
    variant: 'default',
    checkpoints: 1,
    usedBytes: 5,
    firstAt: 1,
    newestAt: 2,
  },
  ...{ copied: [], isInUse: false, isPinned: false, isGoing: false },
  ...change,
});
const builds: readonly HeldBuild[] = [
  { id: ROOT!, name: 'live', state: 'paused', endedAt: 1, tookFrom: [] },
  { id: LEAF!, name: 'live', state: 'succeeded', endedAt: 2, tookFrom: [ROOT!] },
];
const drop = (
  order: readonly (readonly [HeldArea, CollectedAs | null])[],
  change: Partial<WantedDrop> = {},
) => {
  const wanted = { build: ROOT!, variant: null, agent: null, ...change };
  const { removals, refused } = dropCheckpoints(
    order.map(([each, as]) => ({ area: each, as })),
    builds,
    wanted,
    'ada says so',
  );
  const line = (each: { agent: AgentId; variant: string; why: string }): string =>
    `${each.agent} ${each.variant}: ${each.why}`;
  return { goes: removals.map(line), stays: refused.map(line) };
};

describe('what a person drops', () => {
  it('is what was asked for, leaves first', () => {
    const order = [
      [area({ variant: 'leaf' }), 'finished'],
      [area({ agent: LIME! }), 'newest'],
      [area({ build: LEAF! }), 'finished'],
      [area(), 'old'],
    ] as const;
    expect(drop(order, { agent: LIME! }).goes).toEqual(['a-lime default: ada says so']);
    expect(drop(order, { variant: 'leaf' }).goes.length).toBe(1);
    expect(drop(order).goes.map((line) => line.split(':')[0])).toEqual([
      'a-mill leaf',
      'a-lime default',
      'a-mill default',
    ]);
  });

  it('says what grew from it there', () => {
    const order = [
      [area({ build: LEAF!, agent: LIME! }), 'finished'],
      [area({ build: LEAF! }), 'finished'],
      [area(), 'old'],
    ] as const;
    expect(drop(order).goes).toEqual([
      'a-mill default: ada says so; b-leaf.default went on from it there, and may have to go first',
    ]);
  });

  it.each<[why: string, change: Partial<HeldArea>]>([
    ['its agent has been told to drop it already', { isGoing: true, isPinned: true }],
    ['it is pinned: unpin it first', { isPinned: true, isInUse: true }],
    ['a job works there, or an unfinished build goes on from it', { isInUse: true }],
    ['its build is paused and goes on from it: cancel the build first', {}],
  ])('stays when %s', (why, change) => {
    expect(drop([[area(change), null]])).toEqual({ goes: [], stays: [`a-mill default: ${why}`] });
  });
});
