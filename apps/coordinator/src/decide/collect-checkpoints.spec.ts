import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { BuildId, BuildState } from '#libs/contracts';
import {
  collectCheckpoints,
  type AgentSpace,
  type CheckpointCollection,
  type CheckpointPolicy,
} from './collect-checkpoints.js';
import { collectionOrder, type HeldArea, type HeldBuild, type Holdings } from './collection-order.js';
import { agentId, GB, NOW } from './testing.js';

const DAY = 86_400_000;
const POLICY: CheckpointPolicy = {
  keepFinishedMs: 1 * DAY,
  keepFailedMs: 7 * DAY,
  keepNewestCheckpoints: 0,
  agentBudgetBytes: null,
  farmBudgetBytes: null,
};

function buildOf(id: string, state: BuildState, over: Partial<HeldBuild> = {}): HeldBuild {
  return { id: `b-${id}` as BuildId, name: id, state, endedAt: NOW - 1000, tookFrom: [], ...over };
}
const ofDays = (days: number): Partial<HeldBuild> => ({ endedAt: NOW - days * DAY - 1 });
const tookFrom = (...ids: readonly string[]): Partial<HeldBuild> => ({
  tookFrom: ids.map((id) => `b-${id}` as BuildId),
});

/** `tank` holds 1 GB of it, unless something else is said. */
function areaOf(build: string, over: Partial<HeldArea> = {}): HeldArea {
  return {
    agent: agentId('tank'),
    build: `b-${build}` as BuildId,
    variant: 'default',
    checkpoints: 3,
    usedBytes: GB,
    firstAt: NOW - 5000,
    newestAt: NOW - 2000,
    copied: [],
    isInUse: false,
    isPinned: false,
    isGoing: false,
    ...over,
  };
}
const on = (agent: string): Partial<HeldArea> => ({ agent: agentId(agent) });

function agentWith(freeBytes: number, over: Partial<AgentSpace> = {}): AgentSpace {
  return { id: agentId('tank'), name: 'tank', freeBytes, floorBytes: 10 * GB, ...over };
}
const ROOMY = agentWith(50 * GB);

interface Scene {
  readonly builds: readonly HeldBuild[];
  readonly areas?: readonly HeldArea[];
  readonly agents?: readonly AgentSpace[];
  readonly staying?: readonly string[];
  readonly policy?: Partial<CheckpointPolicy>;
}

function collectIn({ builds, areas, agents = [ROOMY], staying = ['tank', 'lime'], policy }: Scene) {
  const held: Holdings = {
    builds,
    areas: areas ?? builds.map(({ id }) => areaOf(id.slice(2))),
    staying: new Set(staying.map(agentId)),
  };
  return collectCheckpoints(held, agents, { ...POLICY, ...policy }, NOW);
}

/** `x`, or `x.variant`, or `x@agent` where that is not tank. */
function named({ removals }: CheckpointCollection): readonly string[] {
  return removals.map(({ build, variant, agent }) => {
    const of = variant === 'default' ? '' : `.${variant}`;
    return `${build.slice(2)}${of}${agent === agentId('tank') ? '' : `@${agent.slice(2)}`}`;
  });
}

describe('checkpoints that are too old', () => {
  it.each<[string, Scene, readonly string[]]>([
    ['not those of a fresh build', { builds: [buildOf('x', 'succeeded')] }, []],
    ['those of a finished build', { builds: [buildOf('x', 'succeeded', ofDays(1))] }, ['x']],
    ['not yet those of a failed one', { builds: [buildOf('x', 'failed', ofDays(6))] }, []],
    ['those of a failed one later', { builds: [buildOf('x', 'failed', ofDays(7))] }, ['x']],
    ['those of a cancelled one likewise', { builds: [buildOf('x', 'cancelled', ofDays(7))] }, ['x']],
    ['those of a paused one likewise', { builds: [buildOf('x', 'paused', ofDays(7))] }, ['x']],
    ['none of a running build', { builds: [buildOf('x', 'running', ofDays(900))] }, []],
    ['none of a waiting build', { builds: [buildOf('x', 'waiting', ofDays(900))] }, []],
    ['none where no end is known', { builds: [buildOf('x', 'failed', { endedAt: null })] }, []],
    ['what is left of a collected build', { builds: [], areas: [areaOf('x')] }, ['x']],
    [
      'on all agents that hold them',
      {
        builds: [buildOf('x', 'failed', ofDays(7))],
        areas: [areaOf('x'), areaOf('x', on('lime'))],
        agents: [ROOMY, agentWith(50 * GB, { id: agentId('lime') })],
      },
      ['x@lime', 'x'],
    ],
    [
      'not on agents that nothing is asked of',
      { builds: [buildOf('x', 'failed', ofDays(7))], areas: [areaOf('x', on('lime'))] },
      [],
    ],
    [
      'not what is pinned, in use, or on its way',
      {
        builds: ['p', 'u', 'g'].map((id) => buildOf(id, 'succeeded', ofDays(90))),
        areas: [
          areaOf('p', { isPinned: true }),
          areaOf('u', { isInUse: true }),
          areaOf('g', { isGoing: true }),
        ],
      },
      [],
    ],
    [
      'not those of the newest of each name that succeeded',
      {
        builds: [
          buildOf('one', 'succeeded', { ...ofDays(30), name: 'live' }),
          buildOf('two', 'succeeded', { ...ofDays(20), name: 'live' }),
          buildOf('bad', 'failed', { ...ofDays(10), name: 'live' }),
          buildOf('other', 'succeeded', ofDays(40)),
        ],
        policy: { keepNewestCheckpoints: 1 },
      },
      ['one', 'bad'],
    ],
    [
      'nor those that the newest took over from',
      {
        builds: [
          buildOf('one', 'succeeded', { ...ofDays(30), name: 'live' }),
          buildOf('two', 'succeeded', { ...ofDays(20), name: 'live' }),
          buildOf('three', 'succeeded', { ...ofDays(10), name: 'live', ...tookFrom('one') }),
        ],
        policy: { keepNewestCheckpoints: 1 },
      },
      ['two'],
    ],
  ])('go: %s', (_, scene, expected) => {
    expect(named(collectIn(scene))).toEqual(expected);
  });

  it('say why they go', () => {
    expect(collectIn({ builds: [buildOf('x', 'succeeded', ofDays(2))] }).removals).toMatchObject([
      { as: 'old', why: 'it is succeeded since 2 days, and its checkpoints are kept for 1 day' },
    ]);
  });
});

describe('for want of room', () => {
  /** So much less than the floor is free. */
  const short = (bytes: number, over: Partial<AgentSpace> = {}): readonly AgentSpace[] => [
    agentWith(10 * GB - bytes, over),
  ];
  const failed = (...ids: readonly string[]): readonly HeldBuild[] => ids.map((id) => buildOf(id, 'failed'));

  it.each<[string, Scene, readonly string[]]>([
    ['goes nothing where there is enough', { builds: failed('x'), agents: short(0) }, []],
    ['goes as much as it takes', { builds: failed('x', 'y', 'z'), agents: short(2 * GB) }, ['x', 'y']],
    [
      'goes one more for a byte more',
      { builds: failed('x', 'y', 'z'), agents: short(2 * GB + 1) },
      ['x', 'y', 'z'],
    ],
    [
      'counts what is on its way',
      { builds: failed('x', 'y'), areas: [areaOf('x', { isGoing: true }), areaOf('y')], agents: short(GB) },
      [],
    ],
    [
      'goes one of unknown size, and no other before it is seen what that made',
      {
        builds: failed('x', 'y'),
        areas: [areaOf('x', { usedBytes: null }), areaOf('y')],
        agents: short(9 * GB),
      },
      ['x'],
    ],
    [
      'waits for one of unknown size on its way',
      {
        builds: failed('x', 'y'),
        areas: [areaOf('x', { usedBytes: null, isGoing: true }), areaOf('y')],
        agents: short(9 * GB),
      },
      [],
    ],
    [
      'counts what goes by age',
      {
        builds: [buildOf('old', 'failed', ofDays(8)), buildOf('x', 'succeeded')],
        agents: short(GB),
      },
      ['old'],
    ],
    [
      'goes in this order: finished, cancelled, failed',
      {
        builds: [
          buildOf('f', 'failed', { endedAt: NOW - 9000 }),
          buildOf('c', 'cancelled'),
          buildOf('s', 'succeeded'),
        ],
        agents: short(9 * GB),
      },
      ['s', 'c', 'f'],
    ],
    [
      'goes the newest of a name behind cancelled builds, and before failed ones',
      {
        builds: [
          buildOf('f', 'failed', { endedAt: NOW - 9000 }),
          buildOf('c', 'cancelled'),
          buildOf('new', 'succeeded', { name: 'live' }),
          buildOf('before', 'succeeded', { name: 'live', endedAt: NOW - 2000 }),
        ],
        agents: short(9 * GB),
        policy: { keepNewestCheckpoints: 1 },
      },
      ['before', 'c', 'new', 'f'],
    ],
    [
      'goes what has been at rest for the longest',
      {
        builds: [buildOf('a', 'failed', { endedAt: NOW - 1 }), buildOf('b', 'failed', { endedAt: NOW - 2 })],
        agents: short(GB),
      },
      ['b'],
    ],
    ['never goes a paused build', { builds: [buildOf('x', 'paused')], agents: short(GB) }, []],
    [
      'never goes a running one',
      { builds: [buildOf('x', 'running', { endedAt: null })], agents: short(GB) },
      [],
    ],
    [
      'never goes what is pinned or in use',
      {
        builds: failed('p', 'u'),
        areas: [areaOf('p', { isPinned: true }), areaOf('u', { isInUse: true })],
        agents: short(GB),
      },
      [],
    ],
    [
      'goes nothing on another agent',
      { builds: failed('x'), areas: [areaOf('x', on('lime'))], agents: short(GB) },
      [],
    ],
    [
      'goes nothing that would make no room',
      { builds: failed('x'), areas: [areaOf('x', { usedBytes: 0 })], agents: short(GB) },
      [],
    ],
    [
      'go leaves before what they grew from',
      {
        builds: [
          buildOf('root', 'failed', { endedAt: NOW - 9000 }),
          buildOf('twig', 'failed', { endedAt: NOW - 8000, ...tookFrom('root') }),
          buildOf('leaf', 'failed', { endedAt: NOW - 7000, ...tookFrom('twig') }),
          buildOf('other', 'failed', { endedAt: NOW - 6000 }),
        ],
        agents: short(9 * GB),
      },
      ['leaf', 'other', 'twig', 'root'],
    ],
    [
      'stays a root for as long as its leaf, whatever it is',
      {
        builds: [
          buildOf('root', 'succeeded'),
          buildOf('leaf', 'failed', tookFrom('root')),
          buildOf('x', 'cancelled'),
        ],
        agents: short(9 * GB),
      },
      ['x', 'leaf', 'root'],
    ],
    [
      'goes a root whose leaf may not go',
      {
        builds: [buildOf('root', 'succeeded'), buildOf('leaf', 'running', tookFrom('root'))],
        agents: short(9 * GB),
      },
      ['root'],
    ],
    [
      'goes a root whose leaf is on another agent',
      {
        builds: [buildOf('root', 'succeeded'), buildOf('leaf', 'failed', tookFrom('root'))],
        areas: [areaOf('root'), areaOf('leaf', on('lime'))],
        agents: short(GB),
      },
      ['root'],
    ],
    [
      'bears builds that took from each other',
      {
        builds: [buildOf('a', 'failed', tookFrom('b')), buildOf('b', 'failed', tookFrom('a'))],
        agents: short(9 * GB),
      },
      ['a', 'b'],
    ],
    [
      'goes the variant first that was begun last',
      {
        builds: failed('x'),
        areas: [areaOf('x', { firstAt: NOW - 9000 }), areaOf('x', { variant: 'de', firstAt: NOW - 8000 })],
        agents: short(GB),
      },
      ['x.de'],
    ],
  ])('%s', (_, scene, expected) => {
    expect([...named(collectIn(scene))].toSorted()).toEqual([...expected].toSorted());
    expect(named(collectIn(scene))).toEqual(expected);
  });

  it.each<[string, number, number, readonly string[]]>([
    ['all that is wanted', 13, 13, ['x', 'y', 'z']],
    ['as much as it takes', 12, 12, ['x', 'y']],
    ['what is there, where that helps', 20, 13, ['x', 'y', 'z']],
    ['nothing where all of it would not help', 20, 13.1, []],
  ])('goes for a job %s', (_, wanted, least, expected) => {
    const job = { bytes: wanted * GB, leastBytes: least * GB };
    const collection = collectIn({
      builds: failed('x', 'y', 'z'),
      agents: [agentWith(10 * GB, { wanted: job })],
    });
    expect(named(collection)).toEqual(expected);
    expect(collection.shortages).toHaveLength(wanted === 20 ? 1 : 0);
  });

  it('goes for the floor what would go for it, whatever a job needs', () => {
    const wanted = { bytes: 99 * GB, leastBytes: 99 * GB };
    expect(named(collectIn({ builds: failed('x', 'y', 'z'), agents: short(GB, { wanted }) }))).toEqual(['x']);
  });

  it('says why', () => {
    expect(collectIn({ builds: failed('x'), agents: short(6.8 * GB) }).removals).toMatchObject([
      { as: 'failed', why: 'tank has 3.2 GB free, less than 10 GB', usedBytes: GB },
    ]);
  });

  it('says what cannot be made, and what pins keep', () => {
    const { removals, shortages } = collectIn({
      builds: failed('x', 'p'),
      areas: [areaOf('x'), areaOf('p', { isPinned: true, usedBytes: 2 * GB })],
      agents: short(4 * GB),
    });
    expect(removals).toHaveLength(1);
    expect(shortages).toEqual([
      {
        agent: agentId('tank'),
        missingBytes: 3 * GB,
        pinnedBytes: 2 * GB,
        why: 'tank has 6.0 GB free, less than 10 GB, and 3.0 GB of that cannot be made: all else is in use or kept; pins keep 2.0 GB there',
      },
    ]);
  });
});

describe('copies', () => {
  const copied = { copied: ['1', '2'] };
  const lime = agentWith(50 * GB, { id: agentId('lime'), name: 'lime' });
  const both = (over: Partial<HeldArea> = {}): readonly HeldArea[] => [
    areaOf('x', { ...copied, ...over }),
    areaOf('x', { ...copied, ...on('lime') }),
  ];
  const running = buildOf('x', 'running', { endedAt: null });
  const short = agentWith(GB);

  it.each<[string, Scene, readonly string[]]>([
    [
      'go when other agents hold all of it',
      { builds: [running], areas: both(), agents: [short, lime] },
      ['x'],
    ],
    [
      'stay when another lacks one of them',
      {
        builds: [running],
        areas: [areaOf('x', copied), areaOf('x', { copied: ['1'], ...on('lime') })],
        agents: [short],
      },
      [],
    ],
    [
      'stay where the others are going away',
      { builds: [running], areas: both(), agents: [short], staying: ['tank'] },
      [],
    ],
    [
      'stay where the others are told to drop theirs',
      {
        builds: [running],
        areas: [areaOf('x', copied), areaOf('x', { ...copied, ...on('lime'), isGoing: true })],
        agents: [short],
      },
      [],
    ],
    [
      'stay where the agent works',
      { builds: [running], areas: both({ isInUse: true }), agents: [short] },
      [],
    ],
    [
      'are not given up by two agents that rely on each other',
      {
        builds: [running],
        areas: both(),
        agents: [short, { ...lime, freeBytes: GB }],
      },
      ['x'],
    ],
    [
      'go behind finished builds',
      {
        builds: [running, buildOf('done', 'succeeded')],
        areas: [...both(), areaOf('done')],
        agents: [agentWith(9 * GB)],
      },
      ['done'],
    ],
    [
      'go before cancelled ones',
      {
        builds: [running, buildOf('c', 'cancelled')],
        areas: [...both(), areaOf('c')],
        agents: [agentWith(9 * GB)],
      },
      ['x'],
    ],
    [
      'go first that have not grown for the longest',
      {
        builds: [running, buildOf('y', 'running', { endedAt: null })],
        areas: [
          ...both(),
          areaOf('y', { copied: ['3'], newestAt: NOW - 9000 }),
          areaOf('y', { copied: ['3'], ...on('lime') }),
        ],
        agents: [agentWith(9 * GB)],
      },
      ['y'],
    ],
  ])('%s', (_, scene, expected) => {
    expect(named(collectIn(scene))).toEqual(expected);
  });
});

describe('a budget', () => {
  const builds = ['a', 'b', 'c'].map((id, at) => buildOf(id, 'failed', { endedAt: NOW - 100 + at }));
  const lime = agentWith(50 * GB, { id: agentId('lime'), name: 'lime' });

  it.each<[string, Partial<CheckpointPolicy>, readonly HeldArea[], readonly string[]]>([
    ['of an agent is kept', { agentBudgetBytes: 2 * GB }, builds.map(({ id }) => areaOf(id.slice(2))), ['a']],
    [
      'of an agent is its own',
      { agentBudgetBytes: 2 * GB },
      [areaOf('a'), areaOf('b'), areaOf('c', on('lime'))],
      [],
    ],
    [
      'of the farm is of all together',
      { farmBudgetBytes: 2 * GB },
      [areaOf('a', on('lime')), areaOf('b'), areaOf('c')],
      ['a@lime'],
    ],
    [
      'counts what is on its way as gone',
      { agentBudgetBytes: 2 * GB },
      [areaOf('a', { isGoing: true }), areaOf('b'), areaOf('c')],
      [],
    ],
    [
      'knows nothing of what was not measured',
      { agentBudgetBytes: GB },
      [areaOf('a', { usedBytes: null }), areaOf('b'), areaOf('c')],
      ['b'],
    ],
    [
      'counts what is in use, which stays',
      { agentBudgetBytes: GB },
      [areaOf('a', { isInUse: true }), areaOf('b')],
      ['b'],
    ],
  ])('%s', (_, policy, areas, expected) => {
    expect(named(collectIn({ builds, areas, policy, agents: [ROOMY, lime] }))).toEqual(expected);
  });

  it('says why', () => {
    const { removals } = collectIn({
      builds,
      policy: { farmBudgetBytes: 2 * GB, agentBudgetBytes: 2.5 * GB },
    });
    expect(removals.map(({ why }) => why)).toEqual(['checkpoints take 3.0 GB on tank, more than 2.5 GB']);
  });
});

describe('whatever is held', () => {
  const ids = ['0', '1', '2', '3', '4', '5'];
  const states: readonly BuildState[] = ['waiting', 'running', 'paused', 'succeeded', 'failed', 'cancelled'];
  const builds = fc.tuple(
    ...ids.map((id, at) =>
      fc
        .record({
          state: fc.constantFrom(...states),
          endedAt: fc.option(fc.integer({ min: 0, max: 12 }).map((days) => NOW - days * DAY - 1)),
          // Time has a direction: what was taken over was there before.
          tookFrom: fc.subarray(ids.slice(0, at)).map((from) => from.map((each) => `b-${each}` as BuildId)),
          name: fc.constantFrom('live', 'text'),
        })
        .map((fields) => buildOf(id, fields.state, fields)),
    ),
  );
  const area = fc
    .record({
      build: fc.constantFrom(...ids),
      agent: fc.constantFrom('tank', 'lime'),
      variant: fc.constantFrom('default', 'de'),
      usedBytes: fc.option(fc.integer({ min: 0, max: 5 })),
      firstAt: fc.integer({ min: 1, max: 9 }),
      copied: fc.subarray(['1', '2']),
      isInUse: fc.boolean(),
      isPinned: fc.boolean(),
      isGoing: fc.boolean(),
    })
    .map(({ build, agent, ...over }) => areaOf(build, { ...over, ...on(agent) }));
  const scene = fc.record({
    builds,
    areas: fc.uniqueArray(area, {
      selector: ({ agent, build, variant }) => `${agent} ${build} ${variant}`,
      maxLength: 14,
    }),
    free: fc.integer({ min: 0, max: 20 }),
    budget: fc.option(fc.integer({ min: 0, max: 20 })),
    farm: fc.option(fc.integer({ min: 0, max: 30 })),
    newest: fc.integer({ min: 0, max: 2 }),
  });
  const runScene = (
    check: (held: Holdings, agents: readonly AgentSpace[], policy: CheckpointPolicy) => void,
  ): void => {
    fc.assert(
      fc.property(scene, ({ builds: all, areas, free, budget, farm, newest }) => {
        const canGoOn = new Set(
          all.filter(({ state }) => state !== 'succeeded' && state !== 'cancelled').map(({ id }) => id),
        );
        const held = {
          builds: all,
          areas: areas.map((each) => {
            const ids = each.copied.map((id) => `${each.build} ${each.variant} ${id}`);
            return { ...each, copied: canGoOn.has(each.build) ? ids : [] };
          }),
          staying: new Set([agentId('tank'), agentId('lime')]),
        };
        const agents = ['tank', 'lime'].map((name) =>
          agentWith(free, { id: agentId(name), name, floorBytes: 10 }),
        );
        check(held, agents, {
          ...POLICY,
          keepNewestCheckpoints: newest,
          agentBudgetBytes: budget,
          farmBudgetBytes: farm,
        });
      }),
      { numRuns: 1000 },
    );
  };
  const areasOf = (held: Holdings, { removals }: CheckpointCollection): readonly HeldArea[] =>
    removals.map(({ agent, build, variant }) =>
      held.areas.find((each) => each.agent === agent && each.build === build && each.variant === variant)!,
    );

  it('nothing goes that is in use, pinned or on its way, and nothing twice', () => {
    runScene((held, agents, policy) => {
      const gone = areasOf(held, collectCheckpoints(held, agents, policy, NOW));
      expect(gone.filter(({ isInUse, isPinned, isGoing }) => isInUse || isPinned || isGoing)).toEqual([]);
      expect(new Set(gone).size).toBe(gone.length);
    });
  });

  it('leaves go first', () => {
    runScene((held, agents, policy) => {
      const { removals } = collectCheckpoints(held, agents, policy, NOW);
      const gone = areasOf(held, { removals, shortages: [] });
      const order = collectionOrder(held, policy, NOW).map((each) => each.area);
      for (const [position, root] of gone.entries()) {
        // Age asks nobody, a copy goes where it is one, and what makes no room is passed over.
        if (removals[position]?.as === 'old') continue;
        const leaves = order.filter((leaf) => {
          const from = held.builds.find(({ id }) => id === leaf.build)?.tookFrom ?? [];
          return (
            leaf.agent === root.agent &&
            from.includes(root.build) &&
            (leaf.usedBytes ?? 0) > 0 &&
            leaf.copied.length === 0
          );
        });
        for (const leaf of leaves) expect(gone.slice(0, position)).toContain(leaf);
      }
    });
  });

  it('nothing more goes than was wanted', () => {
    runScene((held, agents, policy) => {
      const { removals } = collectCheckpoints(held, agents, policy, NOW);
      // Age apart, each was the last straw at least when it went: without it, something would still be missing.
      const forRoom = removals.filter(({ as }) => as !== 'old');
      const last = forRoom.at(-1);
      if (last === undefined) return;
      const before = new Set(
        removals.filter((each) => each !== last).map((each) => `${each.agent} ${each.build} ${each.variant}`),
      );
      const isGone = ({ agent, build, variant, isGoing }: HeldArea): boolean =>
        isGoing || before.has(`${agent} ${build} ${variant}`);
      const sum = (areas: readonly HeldArea[], unknown: number): number =>
        areas.reduce((total, { usedBytes }) => total + (usedBytes ?? unknown), 0);
      const own = held.areas.filter(({ agent }) => agent === last.agent);
      const free = (agents[0]?.freeBytes ?? 0) + sum(own.filter(isGone), Infinity);
      const stays = held.areas.filter((each) => !isGone(each));
      const taken = sum(
        stays.filter(({ agent }) => agent === last.agent),
        0,
      );
      expect(
        free < 10 ||
          taken > (policy.agentBudgetBytes ?? Infinity) ||
          sum(stays, 0) > (policy.farmBudgetBytes ?? Infinity),
      ).toBe(true);
    });
  });

  it('what goes at once goes all, or there is a shortage: a second look finds nothing more to do', () => {
    runScene((held, agents, policy) => {
      const first = collectCheckpoints(held, agents, policy, NOW);
      const gone = new Set(areasOf(held, first));
      const areas = held.areas.map((each) => (gone.has(each) ? { ...each, isGoing: true } : each));
      const again = collectCheckpoints({ ...held, areas }, agents, policy, NOW);
      // What was a copy of a failed build is none any more where the other one went: then it is seen as what it is.
      const newly = again.removals.filter(({ as }) => as !== 'failed');
      expect(newly).toEqual([]);
    });
  });
});
