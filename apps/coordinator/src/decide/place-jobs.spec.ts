import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { judgeAgent } from './agent-verdict.js';
import type { CandidateAgent, PlacementInput, Served, WaitingJob } from './placement-input.js';
import { placeJobs, type PlacementResult } from './place-jobs.js';
import { agentId, agentOf, GB, inputOf, jobId, jobOf, MINUTE, NOW, type JobOver } from './testing.js';
import { AGEING_MS } from './waiting-line.js';
import { jobsAhead } from './waiting-reason.js';

/** `job>agent`, without the prefixes of the ids. */
function placed(result: PlacementResult): readonly string[] {
  return result.placements.map(({ job, agent }) => `${job.slice(2)}>${agent.slice(2)}`);
}

function order(jobs: readonly WaitingJob[], over: Partial<PlacementInput> = {}): string {
  const { placements } = placeJobs(inputOf(jobs, [agentOf('tank', { slots: 99 })], over));
  return placements.map(({ job }) => job.slice(2)).join(' ');
}

describe('the order of jobs', () => {
  it.each<[string, Record<string, JobOver>, string]>([
    ['higher priority first', { a: { priority: 'low' }, b: {}, c: { priority: 'high' } }, 'c b a'],
    ['earlier submission first', { a: { createdAt: 3 }, b: { createdAt: 1 }, c: { createdAt: 2 } }, 'b c a'],
    ['lower index within a build', { a: { index: 2 }, b: { index: 0 }, c: { index: 1 } }, 'b c a'],
    ['the id last', { b: {}, a: {}, c: {} }, 'a b c'],
    [
      'users in turn',
      {
        a1: {},
        a2: {},
        a3: {},
        b1: { user: 'bob', createdAt: NOW + 1 },
        b2: { user: 'bob', createdAt: NOW + 2 },
      },
      'a1 b1 a2 b2 a3',
    ],
    [
      'priority before fairness',
      { a1: { priority: 'high' }, a2: { priority: 'high' }, b: { user: 'bob' } },
      'a1 a2 b',
    ],
    [
      'a job that has waited as one priority higher',
      { a: { user: 'bob', priority: 'high', createdAt: NOW + 1 }, b: { waitingSince: NOW - AGEING_MS } },
      'b a',
    ],
    [
      'a job that has nearly waited so long still behind',
      { a: { user: 'bob', priority: 'high', createdAt: NOW + 1 }, b: { waitingSince: NOW - AGEING_MS + 1 } },
      'a b',
    ],
    [
      'only the first of an old line as a higher one',
      {
        a1: { waitingSince: NOW - AGEING_MS, index: 1 },
        a2: { waitingSince: NOW - AGEING_MS, index: 2 },
        b1: { user: 'bob', priority: 'high', createdAt: NOW + 1 },
        b2: { user: 'bob', priority: 'high', createdAt: NOW + 2 },
      },
      'a1 b1 b2 a2',
    ],
  ])('%s', (_, jobs, expected) => {
    expect(order(Object.entries(jobs).map(([name, over]) => jobOf(name, over)))).toBe(expected);
  });

  it('is the same when a pass places only some of them, and says nothing of the others', () => {
    const jobs = ['a', 'b', 'c', 'd'].map((id) => jobOf(id));
    const limits = { runningPerUser: 99, placements: 2 };
    expect(order(jobs, { limits })).toBe('a b');
    const { waiting } = placeJobs(inputOf(jobs, [agentOf('tank', { slots: 99 })], { limits }));
    expect([...waiting]).toEqual([]);
  });

  it('lets a user who runs nothing catch up', () => {
    const jobs = [
      jobOf('a'),
      jobOf('b1', { user: 'bob' }),
      jobOf('b2', { user: 'bob' }),
      jobOf('b3', { user: 'bob' }),
    ];
    expect(order(jobs, { runningByUser: new Map([['alice', 2]]) })).toBe('b1 b2 a b3');
  });

  it('does not let a line grow old that moves', () => {
    const old = { waitingSince: NOW - 10 * AGEING_MS, createdAt: NOW - 10 * AGEING_MS };
    const jobs = [jobOf('a1', old), jobOf('a2', old), jobOf('b', { user: 'bob', priority: 'high' })];
    const served: Served = new Map([['normal alice', { at: NOW - 1, createdAt: 0, index: 0 }]]);
    expect(order(jobs, { served })).toBe('b a1 a2');
  });

  it('lets a job grow old that others of its line overtake', () => {
    const old = { waitingSince: NOW - AGEING_MS, createdAt: NOW - AGEING_MS };
    const served: Served = new Map([['normal alice', { at: NOW - 1, createdAt: NOW - 1, index: 0 }]]);
    expect(order([jobOf('a', old), jobOf('b', { user: 'bob', priority: 'high' })], { served })).toBe('a b');
  });
});

describe('the choice of an agent', () => {
  const want = (lineage: string) => ({ wants: { lineage, base: null } });
  it.each<[string, JobOver, readonly CandidateAgent[], PlacementInput['holders'], string]>([
    [
      'who holds the newest checkpoint, however busy',
      want('l'),
      [agentOf('a'), agentOf('b', { running: 3, cpuLoad: 9 }), agentOf('c')],
      new Map([
        [
          'l',
          new Map([
            [agentId('b'), 5],
            [agentId('c'), 4],
          ]),
        ],
      ]),
      'b',
    ],
    [
      'who holds what it goes on from',
      { wants: { lineage: 'l', base: { lineage: 'base', published: true } } },
      [agentOf('a'), agentOf('b', { running: 3 })],
      new Map([['base', new Map([[agentId('b'), 1]])]]),
      'b',
    ],
    [
      'its own checkpoint before what it goes on from',
      { wants: { lineage: 'l', base: { lineage: 'base', published: true } } },
      [agentOf('a'), agentOf('b')],
      new Map([
        ['base', new Map([[agentId('a'), 9]])],
        ['l', new Map([[agentId('b'), 0]])],
      ]),
      'b',
    ],
    [
      'the smaller part of slots in use',
      {},
      [agentOf('a', { running: 1, slots: 2 }), agentOf('b', { running: 2, slots: 8 })],
      new Map(),
      'b',
    ],
    ['the lower load', {}, [agentOf('a', { cpuLoad: 0.9 }), agentOf('b', { cpuLoad: 0.2 })], new Map(), 'b'],
    [
      'the least recently used',
      {},
      [agentOf('a', { lastAssignedAt: 2 }), agentOf('b', { lastAssignedAt: 1 })],
      new Map(),
      'b',
    ],
    ['one that was never used', {}, [agentOf('a', { lastAssignedAt: 2 }), agentOf('b')], new Map(), 'b'],
    ['the lower id', {}, [agentOf('b'), agentOf('a')], new Map(), 'a'],
    [
      'another than where it failed',
      { avoid: [agentId('a')] },
      [agentOf('a'), agentOf('b', { running: 3 })],
      new Map(),
      'b',
    ],
    [
      'where it failed, when nobody else can',
      { avoid: [agentId('a')] },
      [agentOf('a'), agentOf('b', { state: 'drained' })],
      new Map(),
      'a',
    ],
    [
      'the agent that was asked for',
      { onAgent: agentId('b') },
      [agentOf('a'), agentOf('b', { running: 3 })],
      new Map(),
      'b',
    ],
    [
      'only who holds a state that was not published',
      { wants: { lineage: 'l', base: { lineage: 'base', published: false } } },
      [agentOf('a'), agentOf('b', { running: 3 })],
      new Map([['base', new Map([[agentId('b'), 1]])]]),
      'b',
    ],
    [
      'a reserved agent for whom it is reserved',
      { requires: { labels: ['gpu'] } },
      [agentOf('a', { labels: ['only:gpu'] })],
      new Map(),
      'a',
    ],
  ])('takes %s', (_, over, agents, holders, expected) => {
    expect(placed(placeJobs(inputOf([jobOf('x', over)], agents, { holders })))).toEqual([`x>${expected}`]);
  });

  it('spreads jobs over agents', () => {
    const jobs = ['1', '2', '3'].map((name) => jobOf(name));
    const agents = [agentOf('a', { slots: 2 }), agentOf('b', { slots: 2 })];
    expect(placed(placeJobs(inputOf(jobs, agents)))).toEqual(['1>a', '2>b', '3>a']);
  });

  it('does not promise the same bytes twice', () => {
    const jobs = ['1', '2', '3'].map((name) => jobOf(name, { requires: { freeBytes: 40 * GB } }));
    const result = placeJobs(inputOf(jobs, [agentOf('a')]));
    expect(placed(result)).toEqual(['1>a', '2>a']);
    expect(result.waiting.get(jobId('3'))).toBe(
      '1 agent (a) matches, its space goes to jobs that are ahead; it is next in line',
    );
  });

  it('lets a small job pass a big one that finds no space', () => {
    const jobs = [
      jobOf('big', { requires: { freeBytes: 200 * GB } }),
      jobOf('small', { createdAt: NOW + 1 }),
    ];
    expect(placed(placeJobs(inputOf(jobs, [agentOf('a')])))).toEqual(['small>a']);
  });
});

describe('why a job waits', () => {
  const full = { slots: 4, running: 4 };
  const arm = { architectures: ['arm64'] };
  const published = { lineage: 'base', published: true };
  const unpublished = { lineage: 'base', published: false };
  const onTank: PlacementInput['holders'] = new Map([['base', new Map([[agentId('tank'), 1]])]]);
  it.each<[string, JobOver, readonly CandidateAgent[], Partial<PlacementInput>]>([
    [
      '0 of 6 agents match: 4 wrong architecture, 1 drained, 1 needs 3.2 GB more',
      { requires: { freeBytes: 103.2 * GB } },
      [...['1', '2', '3', '4'].map((n) => agentOf(n, arm)), agentOf('5', { state: 'drained' }), agentOf('6')],
      {},
    ],
    [
      '0 of 3 agents match: 1 lacks tool `grub`, 2 need at least 1.0 GB more',
      { requires: { freeBytes: 101 * GB, tools: ['grub'] } },
      [
        agentOf('a'),
        agentOf('b', { tools: ['grub'], freeBytes: 99 * GB }),
        agentOf('c', { tools: ['grub'] }),
        agentOf('d', { state: 'revoked' }),
      ],
      {},
    ],
    [
      '0 of 7 agents match: 1 lacks labels `fast` and `gpu`, 2 reserved for label `signing`, 1 lost, 1 paused, 1 quarantined after failures, 1 stopping',
      { requires: { labels: ['gpu', 'fast'] } },
      [
        agentOf('a'),
        ...(['paused', 'lost', 'leaving', 'quarantined'] as const).map((state) =>
          agentOf(state, { state, labels: ['gpu', 'fast'] }),
        ),
        ...['b', 'c'].map((name) => agentOf(name, { labels: ['gpu', 'fast', 'only:signing'] })),
      ],
      {},
    ],
    ['the farm has no agents', {}, [], {}],
    ['the farm has no agents', {}, [agentOf('a', { state: 'revoked' })], {}],
    ['1 agent (tank) matches, all 4 slots are in use; it is next in line', {}, [agentOf('tank', full)], {}],
    [
      '1 agent (tank) matches, its slot is in use; it is next in line',
      {},
      [agentOf('tank', { slots: 1, running: 1 })],
      {},
    ],
    [
      '2 agents match, all 8 slots are in use; avoids zeus, where it failed; it is next in line',
      { avoid: [agentId('zeus')] },
      [agentOf('a', full), agentOf('b', full), agentOf('zeus')],
      {},
    ],
    [
      'alice already runs 20 jobs, the limit',
      {},
      [agentOf('a')],
      { runningByUser: new Map([['alice', 20]]), limits: { runningPerUser: 20 } },
    ],
    [
      'alice already runs 2 jobs, the limit is 1',
      {},
      [agentOf('a')],
      { runningByUser: new Map([['alice', 2]]), limits: { runningPerUser: 1 } },
    ],
    [
      'its state is on agent tank, which is lost',
      { wants: { lineage: 'l', base: unpublished } },
      [agentOf('a'), agentOf('tank', { state: 'lost' })],
      { holders: onTank },
    ],
    [
      'no agent holds the state it goes on from, and it was not published',
      { wants: { lineage: 'l', base: unpublished } },
      [agentOf('a')],
      {},
    ],
    [
      'its state is on 2 agents: 1 drained, 1 lost',
      { wants: { lineage: 'l', base: unpublished } },
      [agentOf('a', { state: 'lost' }), agentOf('b', { state: 'drained' }), agentOf('c')],
      {
        holders: new Map([
          [
            'base',
            new Map([
              [agentId('a'), 1],
              [agentId('b'), 1],
            ]),
          ],
        ]),
      },
    ],
    [
      '0 of 1 agents match: 1 lost',
      { wants: { lineage: 'l', base: published } },
      [agentOf('tank', { state: 'lost' })],
      { holders: onTank },
    ],
    [
      'waits for agent tank, which is drained by bob: new disk',
      { onAgent: agentId('tank') },
      [agentOf('tank', { state: 'drained', reason: 'bob: new disk' }), agentOf('b')],
      {},
    ],
    [
      'waits for agent tank, which is for arm64, not for amd64',
      { onAgent: agentId('tank') },
      [agentOf('tank', arm)],
      {},
    ],
    [
      'waits for agent tank, which needs 1.0 GB more free space',
      { onAgent: agentId('tank') },
      [agentOf('tank', { freeBytes: 0 })],
      {},
    ],
    [
      'waits for agent tank, all 4 slots are in use; it is next in line',
      { onAgent: agentId('tank') },
      [agentOf('tank', full), agentOf('b')],
      {},
    ],
    ['waits for agent a-tank, which is not in the farm', { onAgent: agentId('tank') }, [agentOf('b')], {}],
  ])('%s', (expected, over, agents, more) => {
    expect(placeJobs(inputOf([jobOf('x', over)], agents, more)).waiting.get(jobId('x'))).toBe(expected);
  });

  it('counts who is ahead as users get their turns, and for the same architecture', () => {
    const jobs = [
      ...['a1', 'a2', 'a3', 'a4'].map((name) => jobOf(name)),
      jobOf('b1', { user: 'bob', createdAt: NOW + 1 }),
      jobOf('i386', { user: 'carol', createdAt: NOW + 2, requires: { architecture: 'i386' } }),
    ];
    const { waiting } = placeJobs(
      inputOf(jobs, [agentOf('a', full), agentOf('b', full), agentOf('c', full)]),
    );
    expect(waiting.get(jobId('b1'))).toBe('3 agents match, all 12 slots are in use; 1 job is ahead');
    expect(waiting.get(jobId('a4'))).toBe('3 agents match, all 12 slots are in use; 4 jobs are ahead');
    expect(waiting.get(jobId('i386'))).toBe('3 agents match, all 12 slots are in use; it is next in line');
  });

  it.each([
    [0, 'it is next in line'],
    [1, '1 job is ahead'],
    [20, '20 jobs are ahead'],
    [21, 'at least 20 jobs are ahead'],
    [50, 'at least 50 jobs are ahead'],
    [999, 'at least 500 jobs are ahead'],
    [1000, 'at least 1000 jobs are ahead'],
  ])('says of %d jobs: %s', (count, expected) => {
    expect(jobsAhead(count)).toBe(expected);
  });

  it('has few different reasons for many jobs, since each is written down', () => {
    const jobs = Array.from({ length: 2000 }, (_, n) => jobOf(`${n}`));
    const { waiting } = placeJobs(inputOf(jobs, [agentOf('a', full)]));
    expect(new Set(waiting.values()).size).toBeLessThan(30);
  });

  it('says of a placement why there', () => {
    const jobs = [jobOf('1'), jobOf('2')];
    const { placements } = placeJobs(inputOf(jobs, [agentOf('a'), agentOf('b', { running: 1 })]));
    expect(placements.map(({ reason }) => reason)).toEqual([
      '0 of 4 slots in use, the least busy of 2 agents that match',
      '1 of 4 slots in use, the least busy of 2 agents that match',
    ]);
  });
});

const USERS = ['alice', 'bob', 'carol'];
const AGENT = fc.record({
  architectures: fc.constantFrom(['amd64'], ['arm64'], ['amd64', 'i386']),
  labels: fc.constantFrom([], ['gpu'], ['only:gpu'], ['gpu', 'only:signing']),
  tools: fc.constantFrom(['xorriso'], ['xorriso', 'grub'], []),
  slots: fc.integer({ min: 1, max: 3 }),
  running: fc.integer({ min: 0, max: 3 }),
  freeBytes: fc.integer({ min: 0, max: 5 }),
  cpuLoad: fc.constantFrom(0, 0.5),
  state: fc.constantFrom(
    'ready',
    'ready',
    'ready',
    'drained',
    'paused',
    'lost',
    'revoked',
    'leaving',
    'quarantined',
  ),
  lastAssignedAt: fc.constantFrom(null, NOW - 5, NOW - 1),
});
const JOB = fc.record({
  user: fc.constantFrom(...USERS),
  priority: fc.constantFrom('low', 'normal', 'high'),
  waitingSince: fc.constantFrom(NOW, NOW - AGEING_MS, NOW - 5 * AGEING_MS),
  createdAt: fc.integer({ min: NOW - 3, max: NOW }),
  index: fc.integer({ min: 0, max: 2 }),
  requires: fc.record({
    architecture: fc.constantFrom('amd64', 'arm64', 'i386'),
    labels: fc.constantFrom([], [], ['gpu']),
    tools: fc.constantFrom([], ['xorriso'], ['grub', 'xorriso']),
    freeBytes: fc.integer({ min: 0, max: 3 }),
  }),
  onAgent: fc.option(fc.integer({ min: 0, max: 6 }), { freq: 6 }),
  avoid: fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 2 }),
  base: fc.option(fc.record({ lineage: fc.constantFrom('x', 'y'), published: fc.boolean() })),
  lineage: fc.constantFrom('x', 'y', 'z'),
});
const HOLDERS = fc.array(fc.tuple(fc.constantFrom('x', 'y', 'z'), fc.integer({ min: 0, max: 6 }), fc.nat(9)));

const INPUT: fc.Arbitrary<PlacementInput> = fc
  .record({
    agents: fc.array(AGENT, { maxLength: 7 }),
    jobs: fc.array(JOB, { maxLength: 25 }),
    holders: HOLDERS,
    running: fc.array(fc.nat(4), { minLength: USERS.length, maxLength: USERS.length }),
    limit: fc.integer({ min: 1, max: 8 }),
  })
  .map(({ agents, jobs, holders, running, limit }) => {
    const held = new Map<string, Map<CandidateAgent['id'], number>>();
    for (const [lineage, agent, newest] of holders) {
      held.set(
        lineage,
        (held.get(lineage) ?? new Map<CandidateAgent['id'], number>()).set(agentId(`${agent}`), newest),
      );
    }
    return inputOf(
      jobs.map(({ base, lineage, onAgent, avoid, ...job }, at) =>
        jobOf(`${at}`, {
          ...job,
          onAgent: onAgent === null ? null : agentId(`${onAgent}`),
          avoid: avoid.map((agent) => agentId(`${agent}`)),
          wants: { lineage, base },
        }),
      ),
      agents.map((agent, at) => agentOf(`${at}`, agent)),
      {
        holders: held,
        runningByUser: new Map(USERS.map((user, at) => [user, running[at]!])),
        limits: { runningPerUser: limit },
      },
    );
  });

function holds(property: (input: PlacementInput, result: PlacementResult) => void): void {
  fc.assert(
    fc.property(INPUT, (input) => property(input, placeJobs(input))),
    { numRuns: 200 },
  );
}

/** Slots and bytes that are left after the pass. */
function leftOver(input: PlacementInput, { placements }: PlacementResult, agent: CandidateAgent) {
  const got = placements.filter((placement) => placement.agent === agent.id);
  const bytes = got.map(({ job }) => input.jobs.find(({ id }) => id === job)!.requires.freeBytes);
  return {
    slots: agent.slots - agent.running - got.length,
    bytes: agent.freeBytes - bytes.reduce((sum, each) => sum + each, 0),
  };
}

function runningAfter(input: PlacementInput, { placements }: PlacementResult, user: string): number {
  const users = placements.map(({ job }) => input.jobs.find(({ id }) => id === job)!.user);
  return (input.runningByUser.get(user) ?? 0) + users.filter((each) => each === user).length;
}

describe('every pass', () => {
  it('places each job once at most, or says why it waits', () => {
    holds(({ jobs }, { placements, waiting }) => {
      const decided = [...placements.map(({ job }) => job), ...waiting.keys()];
      expect(decided.sort()).toEqual(jobs.map(({ id }) => id).sort());
      for (const reason of waiting.values()) expect(reason).not.toMatch(/^$|undefined|NaN|, ;/);
    });
  });

  it('keeps to slots and space', () => {
    holds((input, result) => {
      for (const agent of input.agents) {
        if (!result.placements.some((placement) => placement.agent === agent.id)) continue;
        const { slots, bytes } = leftOver(input, result, agent);
        expect(slots).toBeGreaterThanOrEqual(0);
        expect(bytes).toBeGreaterThanOrEqual(0);
      }
    });
  });

  it('gives a job only to an agent that may have it', () => {
    holds((input, { placements }) => {
      for (const placement of placements) {
        const job = input.jobs.find(({ id }) => id === placement.job)!;
        const agent = input.agents.find(({ id }) => id === placement.agent)!;
        expect(judgeAgent(agent, job, input.holders)).toEqual({ kind: 'able' });
      }
    });
  });

  it('keeps to the limit of each user', () => {
    holds((input, result) => {
      for (const user of USERS) {
        const before = input.runningByUser.get(user) ?? 0;
        const after = runningAfter(input, result, user);
        expect(after).toBeLessThanOrEqual(Math.max(before, input.limits.runningPerUser));
      }
    });
  });

  it('leaves no slot empty that a waiting job could have', () => {
    holds((input, result) => {
      for (const job of input.jobs.filter(({ id }) => result.waiting.has(id))) {
        if (runningAfter(input, result, job.user) >= input.limits.runningPerUser) continue;
        const able = input.agents.filter((agent) => judgeAgent(agent, job, input.holders).kind === 'able');
        const preferred = able.filter(({ id }) => !job.avoid.includes(id));
        const open = (preferred.length > 0 ? preferred : able).filter((agent) => {
          const { slots, bytes } = leftOver(input, result, agent);
          return slots > 0 && bytes >= job.requires.freeBytes;
        });
        expect(open).toEqual([]);
      }
    });
  });

  it('decides the same in whatever order its input comes', () => {
    const shuffled = INPUT.chain((input) =>
      fc.record({
        input: fc.constant(input),
        jobs: fc.shuffledSubarray([...input.jobs], { minLength: input.jobs.length }),
        agents: fc.shuffledSubarray([...input.agents], { minLength: input.agents.length }),
      }),
    );
    fc.assert(
      fc.property(shuffled, ({ input, jobs, agents }) => {
        const result = placeJobs(input);
        const again = placeJobs({ ...input, jobs, agents });
        expect(again.placements).toEqual(result.placements);
        expect(new Map([...again.waiting].sort())).toEqual(new Map([...result.waiting].sort()));
      }),
    );
  });
});

describe('a job that has waited long', () => {
  interface Stream {
    readonly users: readonly string[];
    readonly perPass: number;
    readonly runsFor: number;
  }
  /** Passes, a minute apart, of a farm of two slots flooded with `high` jobs; how many until `low` was placed. */
  function passesUntilPlaced(low: WaitingJob, { users, perPass, runsFor }: Stream): number {
    let served: Served = new Map();
    let waiting: WaitingJob[] = [low];
    const running: { user: string; until: number }[] = [];
    for (let pass = 0; pass < 1000; pass += 1) {
      const now = NOW + pass * MINUTE;
      for (let n = 0; n < perPass; n += 1) {
        const user = users[(pass * perPass + n) % users.length]!;
        waiting.push(jobOf(`${pass}-${n}`, { user, priority: 'high', waitingSince: now, createdAt: now }));
      }
      running.splice(0, running.length, ...running.filter(({ until }) => until > pass));
      const runningByUser = new Map(
        users.map((user) => [user, running.filter((r) => r.user === user).length]),
      );
      const agent = agentOf('tank', { slots: 2, running: running.length });
      const result = placeJobs(inputOf(waiting, [agent], { now, served, runningByUser }));
      if (result.placements.some(({ job }) => job === low.id)) return pass;
      for (const { job } of result.placements) {
        running.push({ user: waiting.find(({ id }) => id === job)!.user, until: pass + runsFor });
      }
      waiting = waiting.filter(({ id }) => result.waiting.has(id));
      served = result.served;
    }
    return Infinity;
  }

  it.each<[string, Stream]>([
    ['of one other user', { users: ['bob'], perPass: 2, runsFor: 1 }],
    ['of its own user', { users: ['alice'], perPass: 2, runsFor: 1 }],
    ['of many users', { users: ['bob', 'carol', 'dave', 'erin'], perPass: 4, runsFor: 3 }],
    ['of its own user and another', { users: ['alice', 'bob'], perPass: 6, runsFor: 10 }],
  ])('is placed under a stream of high ones %s', (_, stream) => {
    const low = jobOf('low', { priority: 'low' });
    const passes = passesUntilPlaced(low, stream);
    expect(passes).toBeGreaterThanOrEqual((2 * AGEING_MS) / MINUTE);
    expect(passes).toBeLessThanOrEqual((2 * AGEING_MS) / MINUTE + 2 * stream.runsFor);
  });
});
