import { describe, expect, it } from '@jest/globals';
import type { BuildId } from '#libs/contracts';
import type { ReplicatedJobRow } from '#libs/store';
import fc from 'fast-check';
import type { Peer } from './can-send-to.js';
import {
  copiesOf,
  planReplicas,
  type CheckpointCopies,
  type HeldCheckpoint,
  type PlannedReplica,
  type ReplicaAgent,
  type ReplicationInput,
} from './plan-replicas.js';
import { agentId, GB, NOW } from './testing.js';

type Change = Partial<Omit<ReplicaAgent, 'id' | 'peer'>> & Partial<Omit<Peer, 'id'>>;

function agentOf(name: string, over: Change = {}): ReplicaAgent {
  const { store = 'zfs', listens = true, isGone = false, ...rest } = over;
  const id = agentId(name);
  return {
    id,
    peer: { id, store, listens, isGone },
    architectures: ['amd64'],
    labels: [],
    tools: [],
    state: 'ready',
    freeBytes: 100 * GB,
    floorBytes: 4 * GB,
    cpuLoad: 0,
    dropping: [],
    ...rest,
  };
}

function jobOf(
  name: string,
  over: Partial<Omit<ReplicatedJobRow, 'agent'>> & { readonly on?: string | null } = {},
): ReplicatedJobRow {
  const { on = 'host', ...rest } = over;
  return {
    build: `b-${name}` as BuildId,
    lane: 'main',
    lateSince: null,
    variant: 'default',
    replicas: 1,
    lineage: `b-${name}/default/0/g0`,
    ancestors: [],
    end: null,
    base: null,
    requires: { architecture: 'amd64', labels: [], tools: [], freeBytes: 0 },
    agent: on === null ? null : agentId(on),
    ...rest,
  };
}

/** A chain of checkpoints in front of these steps, as one agent holds it. */
function heldBy(agent: string, job: ReplicatedJobRow, steps: string, over: Partial<HeldCheckpoint> = {}) {
  return Array.from(steps).map((step, at): HeldCheckpoint => {
    const before = steps[at - 1];
    return {
      agentId: agentId(agent),
      id: `${job.lineage}@${step}`,
      lineage: job.lineage,
      workspace: 'build_data',
      label: `.step_${step}`,
      previous: before === undefined ? '' : `${job.lineage}@${before}`,
      takenAt: NOW + at,
      ...over,
    };
  });
}

function planOf(input: ReplicationInput): readonly string[] {
  return planReplicas(input).transfers.map(inWords);
}

function inWords({ receiver, area, checkpoints }: PlannedReplica): string {
  const labels = checkpoints.map(({ label }) => label.slice('.step_'.length));
  return `${area.split('.')[0]} ${labels.join('')} to ${receiver.slice('a-'.length)}`;
}

const one = jobOf('one');
const [host, buddy, other] = [agentOf('host'), agentOf('buddy'), agentOf('other', { cpuLoad: 0.5 })];
const agents = [host, buddy, other];
const held = heldBy('host', one, 'abc');

describe('what is copied', () => {
  it.each<[string, Partial<ReplicationInput>, readonly string[], number]>([
    ['the newest checkpoint with all that it continues', {}, ['b-one abc to buddy'], 1],
    ['nothing of a job that has taken none', { held: [] }, [], 0],
    [
      'as many times as the build wants',
      { jobs: [jobOf('one', { replicas: 2 })] },
      ['b-one abc to buddy', 'b-one abc to other'],
      2,
    ],
    [
      'as often as there are agents for it; the rest is missing',
      { jobs: [jobOf('one', { replicas: 3 })] },
      ['b-one abc to buddy', 'b-one abc to other'],
      3,
    ],
    ['nothing that is where it is wanted', { held: [...held, ...heldBy('other', one, 'abc')] }, [], 0],
    [
      'the increment to who has the one before it',
      { held: [...held, ...heldBy('other', one, 'ab')] },
      ['b-one abc to other'],
      1,
    ],
    [
      'to nobody but the job’s own agent while that fetches it itself',
      { jobs: [jobOf('one', { on: 'buddy' })] },
      [],
      0,
    ],
    [
      'to one that is not its own, when the job waits',
      { jobs: [jobOf('one', { on: null })] },
      ['b-one abc to buddy'],
      1,
    ],
    [
      'once more when the agent that had the copy is lost',
      {
        held: [...held, ...heldBy('other', one, 'abc')],
        agents: [host, buddy, agentOf('other', { isGone: true, state: 'lost' })],
      },
      ['b-one abc to buddy'],
      1,
    ],
    [
      'once more when it is being drained',
      {
        held: [...held, ...heldBy('other', one, 'abc')],
        agents: [host, buddy, agentOf('other', { state: 'drained' })],
      },
      ['b-one abc to buddy'],
      1,
    ],
    [
      'not once more when it is paused',
      {
        held: [...held, ...heldBy('other', one, 'abc')],
        agents: [host, buddy, agentOf('other', { state: 'paused' })],
      },
      [],
      0,
    ],
    [
      'from the copy, when the job’s agent is lost',
      {
        jobs: [jobOf('one', { on: null })],
        held: [...held, ...heldBy('buddy', one, 'abc')],
        agents: [agentOf('host', { isGone: true, state: 'lost' }), buddy, other],
      },
      ['b-one abc to other'],
      1,
    ],
    [
      'as far as it can still be had',
      {
        held: [...heldBy('buddy', one, 'ab'), ...heldBy('gone', one, 'abc')],
        jobs: [jobOf('one', { on: null })],
      },
      ['b-one ab to host'],
      1,
    ],
    [
      'to nobody who has got further in another way, of which the beginning is not known',
      {
        jobs: [jobOf('one', { on: null })],
        agents: [host, buddy],
        held: [...held, ...heldBy('buddy', one, 'd', { previous: 'unknown', takenAt: NOW + 9 })],
      },
      [],
      1,
    ],
    ['nothing of which the beginning is nowhere', { held: held.slice(1) }, [], 0],
    [
      'what a job that was set back begins with, and no more',
      {
        jobs: [
          jobOf('one', {
            lineage: 'b-one/default/0/g1',
            ancestors: [{ lineage: one.lineage, upTo: '.step_b' }],
          }),
        ],
      },
      ['b-one ab to buddy'],
      1,
    ],
    [
      'where a job has ended, and not what another attempt left',
      {
        jobs: [jobOf('one', { on: null, end: `${one.lineage}@b` })],
        held: [...heldBy('host', one, 'ab'), ...heldBy('other', one, 'acd')],
      },
      ['b-one ab to buddy'],
      1,
    ],
    ['nothing, where nobody holds that any more', { jobs: [jobOf('one', { on: null, end: 'gone' })] }, [], 0],
    [
      'what it has taken since, with what that continues',
      {
        jobs: [
          jobOf('one', {
            lineage: 'b-one/default/0/g1',
            ancestors: [{ lineage: one.lineage, upTo: '.step_b' }],
          }),
        ],
        held: [
          ...held,
          ...heldBy('host', one, 'c', {
            id: 'anew',
            lineage: 'b-one/default/0/g1',
            previous: `${one.lineage}@b`,
          }),
        ],
      },
      ['b-one abc to buddy'],
      1,
    ],
  ])('%s', (_, change, expected, missing) => {
    const input = { jobs: [one], held, agents, ...change };
    expect(planOf(input)).toEqual(expected);
    expect(planReplicas(input).missing).toBe(missing);
  });

  it('first what has no copy, then what has waited longest', () => {
    const [two, three] = [jobOf('two', { replicas: 2 }), jobOf('three')];
    const input = {
      jobs: [one, two, three],
      held: [
        ...held,
        ...heldBy('host', two, 'a', { takenAt: NOW - 9 }),
        ...heldBy('buddy', two, 'a', { takenAt: NOW - 9 }),
        ...heldBy('host', three, 'a', { takenAt: NOW - 5 }),
      ],
      agents,
    };
    expect(planOf(input).map((words) => words.split(' ')[0])).toEqual(['b-three', 'b-one', 'b-two']);
  });
});

describe('a job that is in want of copies', () => {
  it('comes before all others', () => {
    const two = jobOf('two', { lateSince: NOW });
    const input = {
      jobs: [one, two],
      held: [...held, ...heldBy('host', two, 'a', { takenAt: NOW + 9 })],
      agents,
    };
    const plan = planReplicas(input).transfers;
    expect(plan.map(({ area, isUrgent }) => `${area} ${isUrgent}`)).toEqual([
      'b-two.default true',
      'b-one.default false',
    ]);
  });

  it.each<[string, Partial<ReplicationInput>, string, CheckpointCopies | null]>([
    ['of a checkpoint that has one', {}, 'b', { on: [buddy.id], missing: 0, receivers: [] }],
    ['of one that has none', {}, 'c', { on: [], missing: 1, receivers: [buddy.id] }],
    [
      'of one that has none, and nobody to take it',
      { agents: [host] },
      'c',
      { on: [], missing: 1, receivers: [] },
    ],
    ['of one that nobody has told of', {}, 'd', null],
    [
      'of one whose beginning is not there',
      { held: [...held, ...heldBy('buddy', one, 'ab').slice(1)] },
      'b',
      { on: [], missing: 1, receivers: [buddy.id] },
    ],
  ])('learns where they are %s', (_, change, step, expected) => {
    const input = { jobs: [one], held: [...held, ...heldBy('buddy', one, 'ab')], agents, ...change };
    expect(copiesOf(input, `${one.lineage}@${step}`)).toEqual(expected);
  });
});

describe('what a job lacks', () => {
  it('is told with how far the copies are behind, and who is to fetch them', () => {
    const input = {
      jobs: [jobOf('one', { lateSince: NOW })],
      held: [...held, ...heldBy('buddy', one, 'a')],
      agents,
    };
    expect(planReplicas(input).lacks).toEqual([
      expect.objectContaining({
        label: '.step_c',
        missing: 1,
        receivers: [buddy.id],
        behind: 2,
        lateSince: NOW,
      }),
    ]);
  });
});

describe('who takes a copy', () => {
  it.each<[string, Change]>([
    ['is of another store family', { store: 'btrfs' }],
    ['cannot be reached', { listens: false }],
    ['is drained', { state: 'drained' }],
    ['is paused', { state: 'paused' }],
    ['is in quarantine', { state: 'quarantined' }],
    ['is leaving', { state: 'leaving' }],
    ['is lost', { state: 'lost', isGone: true }],
    ['is revoked', { state: 'revoked', isGone: true }],
    ['is short of space', { freeBytes: 7 * GB }],
    ['is told to drop the area', { dropping: ['b-one.default'] }],
  ])('is never one that %s', (_, over) => {
    const input = { jobs: [one], held, agents: [host, agentOf('buddy', over)] };
    expect(planReplicas(input)).toMatchObject({ transfers: [], missing: 1 });
  });

  it.each<[string, readonly ReplicaAgent[], readonly HeldCheckpoint[], string]>([
    [
      'could run the job',
      [agentOf('x', { architectures: ['arm64'] }), agentOf('y', { cpuLoad: 9 })],
      [],
      'y',
    ],
    ['lacks the least of it', [agentOf('x'), agentOf('y', { cpuLoad: 9 })], heldBy('y', one, 'a'), 'y'],
    ['keeps fewer others', [agentOf('x'), agentOf('y', { cpuLoad: 9 })], heldBy('x', jobOf('two'), 'a'), 'y'],
    ['has less to do', [agentOf('x', { cpuLoad: 2 }), agentOf('y', { cpuLoad: 1 })], [], 'y'],
  ])('is rather one that %s', (_, candidates, more, expected) => {
    const input = {
      jobs: [one, jobOf('two', { on: null, replicas: 0 })],
      held: [...held, ...more],
      agents: [host, ...candidates],
    };
    expect(planOf(input)).toEqual([`b-one abc to ${expected}`]);
  });

  it('stays the same while the first of it is on its way, whoever has less to do by now', () => {
    const input = { jobs: [one], held, agents: [host, agentOf('x', { cpuLoad: 2 }), agentOf('y')] };
    expect(planOf(input)).toEqual(['b-one abc to y']);
    const before = [{ receiver: agentId('x'), area: 'b-one.default' }];
    expect(planOf({ ...input, before })).toEqual(['b-one abc to x']);
    const gone = { ...input, agents: [host, agentOf('x', { state: 'drained' }), agentOf('y')] };
    expect(planOf({ ...gone, before })).toEqual(['b-one abc to y']);
  });

  it('is the same for all lanes of a variant', () => {
    const lane = jobOf('one', { lineage: 'b-one/default/1/g0', on: 'far' });
    const input = {
      jobs: [one, lane],
      held: [...held, ...heldBy('far', lane, 'x', { workspace: 'build_data.x' })],
      agents: [host, agentOf('far'), agentOf('x'), agentOf('y')],
    };
    const plan = planReplicas(input).transfers;
    // Of the two, one has the other's lane already.
    expect(plan.map(inWords).toSorted()).toEqual(['b-one abc to far', 'b-one x to host']);
  });

  it('spreads over agents', () => {
    const jobs = Array.from({ length: 12 }, (_, at) => jobOf(`n${at}`));
    const buddies = ['w', 'x', 'y', 'z'].map((name) => agentOf(name));
    const all = jobs.flatMap((job) => heldBy('host', job, 'a'));
    const plan = planReplicas({ jobs, held: all, agents: [host, ...buddies] }).transfers;
    const counts = buddies.map(({ id }) => plan.filter(({ receiver }) => receiver === id).length);
    expect(counts).toEqual([3, 3, 3, 3]);
  });
});

const NAMES = ['v', 'w', 'x', 'y', 'z'];
const AGENTS = fc.tuple(
  ...NAMES.map((name) =>
    fc
      .record({
        state: fc.constantFrom('ready', 'ready', 'ready', 'paused', 'drained', 'lost' as const),
        store: fc.constantFrom('zfs', 'zfs', 'btrfs' as const),
        freeBytes: fc.constantFrom(5 * GB, 100 * GB),
        cpuLoad: fc.constantFrom(0, 1),
      })
      .map((over) => agentOf(name, { ...over, isGone: over.state === 'lost' })),
  ),
);
const HOLDING = fc.record({
  agent: fc.constantFrom(...NAMES),
  steps: fc.constantFrom('a', 'ab', 'abc', 'abcd'),
});
const JOB = fc.record({
  on: fc.constantFrom(...NAMES, null),
  replicas: fc.integer({ min: 0, max: 3 }),
  holdings: fc.array(HOLDING, { maxLength: 4 }),
});
const INPUT = fc.tuple(AGENTS, fc.array(JOB, { maxLength: 5 })).map(([all, drafts]): ReplicationInput => {
  const jobs = drafts.map(({ on, replicas }, at) => jobOf(`n${at}`, { on, replicas }));
  const said = drafts.flatMap(({ holdings }, at) =>
    holdings.flatMap(({ agent, steps }) => heldBy(agent, jobs[at]!, steps)),
  );
  return {
    jobs,
    agents: all,
    held: [...new Map(said.map((each) => [`${each.agentId} ${each.id}`, each])).values()],
  };
});

/** As if all of it had been copied. */
function afterwards(input: ReplicationInput): ReplicationInput {
  const { transfers } = planReplicas(input);
  const copied = transfers.flatMap(({ receiver, checkpoints }) =>
    checkpoints.map((checkpoint) => ({ ...checkpoint, agentId: receiver })),
  );
  return { ...input, held: [...input.held, ...copied] };
}

describe('whatever the farm looks like', () => {
  it('nobody is given what he holds, or what his own job is at', () => {
    fc.assert(
      fc.property(INPUT, (input) => {
        for (const { receiver, area, checkpoints } of planReplicas(input).transfers) {
          const newest = checkpoints.at(-1)!;
          const holds = input.held.some(({ agentId: by, id }) => by === receiver && id === newest.id);
          const works = input.jobs.some(
            ({ agent, build }) => agent === receiver && area.startsWith(`${build}.`),
          );
          expect([holds, works]).toEqual([false, false]);
        }
      }),
    );
  });

  it('each copy begins at the job’s beginning and has no holes', () => {
    fc.assert(
      fc.property(INPUT, (input) => {
        for (const { checkpoints } of planReplicas(input).transfers)
          expect(checkpoints.map(({ previous }) => previous)).toEqual([
            '',
            ...checkpoints.map(({ id }) => id).slice(0, -1),
          ]);
      }),
    );
  });

  it('no job gets more than it wants', () => {
    fc.assert(
      fc.property(INPUT, (input) => {
        const { transfers } = planReplicas(input);
        for (const { build, replicas } of input.jobs) {
          const own = transfers.filter(({ area }) => area.startsWith(`${build}.`));
          expect(own.length).toBeLessThanOrEqual(replicas + 1);
          expect(new Set(own.map(({ receiver }) => receiver)).size).toBe(own.length);
        }
      }),
    );
  });

  it('is done when all of it is copied', () => {
    fc.assert(
      fc.property(INPUT, (input) => {
        const before = planReplicas(input);
        const after = planReplicas(afterwards(input));
        expect(after.transfers).toEqual([]);
        expect(after.missing).toBe(before.missing - before.transfers.length);
      }),
    );
  });

  it('does not depend on the order in which anything is read', () => {
    fc.assert(
      fc.property(INPUT, (input) => {
        const turned = { ...input, held: input.held.toReversed(), agents: input.agents.toReversed() };
        const names = (of: ReplicationInput): readonly string[] => planOf(of).toSorted();
        expect(names(turned)).toEqual(names(input));
      }),
    );
  });
});
