import { describe, expect, it } from '@jest/globals';
import type {
  Artifact,
  AttemptId,
  AttemptView,
  BuildDetail,
  BuildId,
  FarmEvent,
  JobView,
  StepView,
} from '#libs/contracts';
import { checkHistory } from './check-history.js';
import type { BuildEvidence, Evidence, Invariant, LogEvidence } from './invariants/evidence.js';
import type { Operation } from './history.js';
import type { TruthLine } from './truth-log.js';

const BUILD = 'b-0000000001' as BuildId;
const JOB = 'j-0000000001';
const ATTEMPT = 't-0000000001';

const STEPS = [
  { name: 'a', after: [], image: null },
  { name: 'b', after: ['a'], image: 'iso' },
];

function truthOf(step: string, at: number, change: Partial<TruthLine> = {}): readonly TruthLine[] {
  const found = step === 'a' ? [] : ['a'];
  const foundOf = found.map((name) => `x${name}`);
  const place = {
    host: 'agent0',
    area: `${BUILD}.default`,
    workspace: 'build_data',
    alone: true,
    taste: 'plain',
    found,
    foundOf,
  };
  const line = { ...place, execution: `x${step}`, step, ...change };
  return [
    { ...line, what: 'begin', at, wall: at },
    { ...line, what: 'end', at: at + 10, wall: at + 10 },
  ];
}

function operation(name: string, change: Partial<Operation> = {}): Operation {
  return { wall: 1, at: 1, actor: 'user', name, phase: 'ok', build: BUILD, data: {}, ...change };
}

const EVENTS: readonly (readonly [FarmEvent['type'], FarmEvent['data']])[] = [
  ['build-submitted', {}],
  ['job-waiting', {}],
  ['job-assigned', {}],
  ['job-started', {}],
  ['checkpoint-taken', { checkpoint: '1', label: '.step_a' }],
  ['step-started', { index: 0 }],
  ['step-ended', { index: 0, outcome: { kind: 'succeeded' } }],
  ['checkpoint-taken', { checkpoint: '2', label: '.step_b' }],
  ['step-started', { index: 1 }],
  ['step-ended', { index: 1, outcome: { kind: 'succeeded' } }],
  ['artifact-published', {}],
  ['job-ended', { state: 'succeeded' }],
  ['build-ended', { state: 'succeeded' }],
];

function eventsOf(list: typeof EVENTS): readonly FarmEvent[] {
  return list.map(([type, data], index) => {
    const ofBuild = type.startsWith('build-');
    return {
      seq: index + 1,
      at: index,
      type,
      build: BUILD,
      job: ofBuild ? null : JOB,
      attempt: ofBuild || type === 'job-waiting' ? null : ATTEMPT,
      agent: null,
      data,
    } as FarmEvent;
  });
}

const attempt = (change: Partial<AttemptView> = {}): AttemptView =>
  ({
    id: ATTEMPT,
    startedAt: 60,
    epoch: 1,
    agentName: 'agent0',
    logBytes: LOG.length,
    end: { kind: 'succeeded' },
    ...change,
  }) as AttemptView;

const steps = [
  { index: 0, name: 'a', state: 'succeeded', attempt: ATTEMPT, startedAt: 90, endedAt: 120 },
  { index: 1, name: 'b', state: 'succeeded', attempt: ATTEMPT, startedAt: 190, endedAt: 220 },
] as unknown as readonly StepView[];

const detail = (change: Partial<BuildDetail> = {}): BuildDetail =>
  ({
    id: BUILD,
    state: 'succeeded',
    summary: 'succeeded',
    note: 'k',
    jobs: [{ id: JOB, variant: 'default', steps, attempts: [attempt()] }] as unknown as JobView[],
    ...change,
  }) as BuildDetail;

const artifact = (change: Partial<Artifact> = {}): Artifact =>
  ({ variant: 'default', name: 'toy.iso', sha256: 'd1', attempt: ATTEMPT, ...change }) as Artifact;

const LOG = ['xa 1', 'xa 2', 'xb 1', 'xb 2'].map((line) => `2026 s out| line ${line}\n`).join('');
const TRACE = 'xa a\nxb b\n';

const logged = (text = LOG, change: Partial<LogEvidence> = {}, attempt = ATTEMPT): BuildEvidence['logs'] =>
  new Map([[attempt as AttemptId, { text, missing: 0, breaksOff: false, ...change }]]);

const traced = (...texts: readonly string[]): BuildEvidence['traces'] =>
  texts.map((text) => ({ variant: 'default', text }));

const told = (change: Partial<BuildEvidence> = {}): BuildEvidence => ({
  detail: detail(),
  artifacts: [artifact()],
  served: new Map([['default/toy.iso', 'd1']]),
  undisturbed: new Map([['default/toy.iso', 'd1']]),
  traces: traced(TRACE),
  tastes: new Map(STEPS.map(({ name }) => [`default/${name}`, 'plain'])),
  logs: logged(),
  ...change,
});

function evidence(change: Partial<Evidence> = {}): Evidence {
  return {
    operations: [operation('submit', { data: { key: 'k' } }), operation('recover', { data: { ms: 10 } })],
    events: eventsOf(EVENTS),
    truth: [...truthOf('a', 100), ...truthOf('b', 200)],
    builds: [told()],
    origins: new Map((change.builds ?? [told()]).map((build) => [build.detail.id, build.detail])),
    steps: STEPS,
    linesOfStep: 2,
    left: [],
    limits: { recoverMs: 1000, cancelMs: 1000 },
    ...change,
  };
}

/** The events with one put in behind the first of a type. */
function eventsWith(after: FarmEvent['type'], ...more: typeof EVENTS): readonly FarmEvent[] {
  const at = EVENTS.findIndex(([type]) => type === after) + 1;
  return eventsOf([...EVENTS.slice(0, at), ...more, ...EVENTS.slice(at)]);
}

it('finds nothing wrong with a build that went well', () => {
  expect(checkHistory(evidence())).toEqual([]);
});

const OTHER = 't-0000000002';
const LOST = { kind: 'infrastructure', fault: 'lost', at: null, reason: '' } as const;

/** Step a by an attempt that was lost behind it, step b by the next one, on another host. */
function takenOver(foundOf: string, change: Partial<StepView> = {}): Partial<Evidence> {
  const half = LOG.slice(0, LOG.indexOf('2026 s out| line xa 2'));
  const second = LOG.slice(LOG.indexOf('2026 s out| line xb 1'));
  const attempts = [
    attempt({ logBytes: half.length, end: LOST }),
    attempt({
      id: OTHER as AttemptId,
      epoch: 2,
      startedAt: 150,
      agentName: 'agent1',
      logBytes: second.length,
    }),
  ];
  const own = [
    { ...steps[0], attempt: null, startedAt: null, endedAt: null, ...change },
    { ...steps[1], attempt: OTHER },
  ];
  const jobs = [{ id: JOB, variant: 'default', steps: own, attempts }] as unknown as JobView[];
  const logs = new Map([...logged(half, { breaksOff: true }), ...logged(second, {}, OTHER)]);
  const events = EVENTS.flatMap<(typeof EVENTS)[number]>(([type, data]) =>
    type === 'artifact-published' || type === 'step-started' || type === 'step-ended' ? [] : [[type, data]],
  );
  return {
    events: eventsOf(events),
    truth: [...truthOf('a', 100), ...truthOf('b', 200, { host: 'agent1', foundOf: [foundOf] })],
    builds: [
      told({ detail: detail({ jobs }), artifacts: [artifact({ attempt: OTHER as AttemptId })], logs }),
    ],
  };
}

it('takes what the next attempt found of one that was lost, whatever the record has not heard of that', () => {
  expect(checkHistory(evidence(takenOver('xa')))).toEqual([]);
  expect(checkHistory(evidence(takenOver('xa', { attempt: ATTEMPT as AttemptId })))).toEqual([]);
});

const ANOTHER = 'b-0000000002' as BuildId;

/** Step a was run for another build, and taken over from it, or from one that has taken it over. */
function reused(change: Partial<TruthLine> = {}, through: BuildId | null = null): Partial<Evidence> {
  const jobsOf = (id: string, from: BuildId | null): JobView[] =>
    [
      {
        ...{ id, variant: 'default', attempts: [attempt({ logBytes: LOG_OF_B.length })] },
        steps: [
          { ...steps[0], reusedFrom: from, ...(from === null ? {} : { attempt: null, startedAt: null }) },
          steps[1],
        ],
      },
    ] as unknown as JobView[];
  const own = detail({ jobs: jobsOf(JOB, through ?? ANOTHER) });
  const between = detail({ id: through ?? BUILD, jobs: jobsOf('j-3', ANOTHER) });
  const other = detail({ id: ANOTHER, jobs: jobsOf('j-2', null) });
  const events = EVENTS.filter(([, data]) => data['index'] !== 0);
  return {
    events: eventsOf(events),
    truth: [...truthOf('a', 100, { area: `${ANOTHER}.default`, ...change }), ...truthOf('b', 200)],
    builds: [told({ detail: own, logs: logged(LOG_OF_B) })],
    origins: new Map([other, between, own].map((each) => [each.id, each])),
  };
}

const LOG_OF_B = LOG.slice(LOG.indexOf('2026 s out| line xb 1'));
const THIRD = 'b-0000000003' as BuildId;

it('takes what was run for another build, from which it was taken over, directly or not', () => {
  expect(checkHistory(evidence(reused()))).toEqual([]);
  expect(checkHistory(evidence(reused({}, THIRD)))).toEqual([]);
});

/** Step a of two builds, the other's from `at` on. */
function equalSteps(at: number, change: Partial<TruthLine> = {}): Partial<Evidence> {
  const { builds, origins, truth } = reused();
  const other = told({
    detail: detail({
      id: ANOTHER,
      jobs: [
        {
          ...{ id: 'j-2', variant: 'default', steps },
          attempts: [attempt({ id: OTHER as AttemptId, agentName: 'agent1', logBytes: 0, endedAt: 112 })],
        },
      ] as unknown as JobView[],
    }),
    logs: new Map(),
  });
  const place = { area: `${ANOTHER}.default`, host: 'agent1', execution: 'xa2' };
  const begun = truthOf('a', at, { ...place, ...change });
  return { builds: [...builds!, other], origins: origins!, truth: [...begun, ...truth!] };
}

const onceOnly = (change: Partial<Evidence>): readonly string[] =>
  checkHistory(evidence(change)).flatMap(({ invariant, text }) => (invariant === 11 ? [text] : []));

it('bears an equal step behind one that has ended, or whose attempt was given up, and another one at any time', () => {
  expect(onceOnly(equalSteps(80))).toEqual([]);
  const { truth, ...rest } = equalSteps(95);
  const cut = truth!.filter(({ execution, what }) => execution !== 'xa2' || what === 'begin');
  expect(
    onceOnly({
      ...rest,
      truth: cut.map((line) => ({ ...line, wall: line.wall + (line.execution === 'xa' ? 20 : 0) })),
    }),
  ).toEqual([]);
  expect(onceOnly(equalSteps(95, { taste: 'mod' }))).toEqual([]);
});

it('bears a step that begins again in its attempt, but only from a checkpoint', () => {
  const again = (...resumed: Parameters<typeof eventsWith>[1][]) =>
    eventsWith('step-started', ['step-ended', { index: 0, outcome: { kind: 'out-of-space' } }], ...resumed, [
      'step-started',
      { index: 0 },
    ]);
  expect(
    checkHistory(evidence({ events: again(['resumed', { checkpoint: 'x', step: 'a', index: 0 }]) })),
  ).toEqual([]);
  expect(checkHistory(evidence({ events: again() }))).toMatchObject([{ invariant: 4 }]);
});

const submitted = (change: Partial<Operation>): Operation =>
  operation('submit', { data: { key: 'k' }, ...change });

describe.each<readonly [Invariant, readonly (readonly [string, Partial<Evidence>])[]]>([
  [
    1,
    [
      ['a build that is lost', { builds: [] }],
      ['a build that nobody submitted', { builds: [told({ detail: detail({ note: 'other' }) })] }],
      ['a build that does not come to its end', { builds: [told({ detail: detail({ state: 'running' }) })] }],
      [
        'one submission that became two builds',
        { operations: [submitted({}), submitted({ build: 'b-0000000002' })], builds: [told()] },
      ],
      [
        'a step that fails by itself',
        { events: eventsWith('job-started', ['job-ended', { state: 'failed', end: { kind: 'failed' } }]) },
      ],
      [
        'a build that ends twice',
        { events: eventsWith('job-ended', ['build-ended', { state: 'succeeded' }]) },
      ],
    ],
  ],
  [
    2,
    [
      ['a step whose effects are there twice', { builds: [told({ traces: traced(`${TRACE}xa2 a\n`) })] }],
      ['a step whose effects are missing', { builds: [told({ traces: traced('xb b\n') })] }],
      ['images of two executions of a step', { builds: [told({ traces: traced(TRACE, 'xa2 a\nxb b\n') })] }],
      [
        'effects of an execution that was killed',
        { truth: [...truthOf('a', 100).slice(0, 1), ...truthOf('b', 200)] },
      ],
      [
        'effects of an agent that the record does not name',
        { truth: [...truthOf('a', 100, { host: 'agent1' }), ...truthOf('b', 200)] },
      ],
      [
        'effects of a lost attempt that the next one did not go on from',
        {
          ...takenOver('xa2'),
          truth: [...truthOf('a', 10, { execution: 'xa2' }), ...takenOver('xa2').truth!],
        },
      ],
      ['a step that the record does not know to have succeeded', takenOver('xa', { state: 'interrupted' })],
      [
        'effects of another execution by the same agent',
        { truth: [...truthOf('a', 50), ...truthOf('b', 200)] },
      ],
      ['a step that was taken over and never ended', { ...reused(), truth: reused().truth!.toSpliced(1, 1) }],
      ['a step that was run for a build that the record does not name', reused({ area: `${THIRD}.default` })],
      ['a step that is another one of its name', reused({ taste: 'mod' })],
    ],
  ],
  [
    3,
    [
      [
        'a workspace that was not free',
        { truth: [...truthOf('a', 100, { alone: false }), ...truthOf('b', 200)] },
      ],
      [
        'a step that begins inside another one',
        {
          truth: [truthOf('a', 100)[0]!, truthOf('b', 200)[0]!, truthOf('a', 100)[1]!, truthOf('b', 200)[1]!],
        },
      ],
    ],
  ],
  [
    4,
    [
      [
        'a step that does not find what was before it',
        { truth: [...truthOf('a', 100), ...truthOf('b', 200, { found: [] })] },
      ],
      [
        'a step that finds its own leavings',
        { truth: [...truthOf('a', 100, { found: ['a'] }), ...truthOf('b', 200)] },
      ],
      [
        'a step that goes on from one that had not ended',
        { truth: [truthOf('a', 100)[0]!, ...truthOf('b', 200), truthOf('a', 100)[1]!] },
      ],
      [
        'an attempt that starts a step twice',
        { events: eventsWith('step-started', ['step-started', { index: 0 }]) },
      ],
      [
        'an attempt that begins from the checkpoint of another step',
        { events: eventsWith('checkpoint-taken', ['resumed', { checkpoint: '1', step: 'b' }]) },
      ],
    ],
  ],
  [
    5,
    [
      [
        'a report that was kept after its attempt had ended',
        { events: eventsWith('job-ended', ['step-ended', { index: 1 }]) },
      ],
      [
        'an artifact of an attempt that was lost',
        {
          builds: [
            told({
              detail: detail({
                jobs: [
                  {
                    id: JOB,
                    variant: 'default',
                    steps,
                    attempts: [attempt({ end: { kind: 'cancelled', at: null } })],
                  },
                ] as unknown as JobView[],
              }),
            }),
          ],
        },
      ],
    ],
  ],
  [
    6,
    [
      ['an image with other bytes', { builds: [told({ artifacts: [artifact({ sha256: 'd2' })] })] }],
      [
        'an image that is served with other bytes',
        { builds: [told({ served: new Map([['default/toy.iso', 'd2']]) })] },
      ],
      ['an image that is missing', { builds: [told({ artifacts: [] })] }],
    ],
  ],
  [
    7,
    [
      [
        'a hole in the events',
        { events: eventsOf(EVENTS).map((event, index) => ({ ...event, seq: index + (index > 3 ? 2 : 1) })) },
      ],
      ['a line that the log has lost', { builds: [told({ logs: logged(LOG.replace('xa 2', 'xa 9')) })] }],
      ['a log that is shorter than it is said to be', { builds: [told({ logs: new Map() })] }],
      [
        'a log that lacks its end, and does not say so',
        {
          builds: [
            told({
              detail: detail({
                jobs: [
                  {
                    id: JOB,
                    variant: 'default',
                    steps,
                    attempts: [attempt({ logBytes: LOG.length / 2, end: LOST })],
                  },
                ] as unknown as JobView[],
              }),
              logs: logged(LOG.slice(0, LOG.length / 2)),
            }),
          ],
        },
      ],
      [
        'bytes that never came of an agent that is there',
        { builds: [told({ logs: logged(LOG, { missing: 3 }) })] },
      ],
      [
        'a log that breaks off of an attempt that did not',
        { builds: [told({ logs: logged(LOG, { breaksOff: true }) })] },
      ],
    ],
  ],
  [
    8,
    [
      ['a job that begins again after its end', { events: eventsWith('job-ended', ['job-assigned', {}]) }],
      ['a job that waits again after its end', { events: eventsWith('job-ended', ['job-waiting', {}]) }],
      ['a running job that waits', { events: eventsWith('step-ended', ['job-waiting', {}]) }],
      [
        'a step that starts when the build is over',
        { events: eventsWith('build-ended', ['step-started', {}]) },
      ],
      [
        'a job that starts without an agent',
        { events: eventsOf(EVENTS.filter(([type]) => type !== 'job-assigned')) },
      ],
    ],
  ],
  [9, [['a process', { left: ['1 processes of steps'] }]]],
  [
    11,
    [
      ['a step that begins while an equal one runs', equalSteps(95)],
      [
        'a step that begins before the attempt is given up that had begun an equal one',
        {
          ...equalSteps(95),
          truth: equalSteps(95).truth!.filter(
            ({ execution, what }) => execution !== 'xa2' || what === 'begin',
          ),
        },
      ],
    ],
  ],
  [
    10,
    [
      [
        'builds that do not go on',
        { operations: [submitted({}), operation('recover', { phase: 'fail', data: { ms: 5000 } })] },
      ],
      [
        'builds that go on late',
        { operations: [submitted({}), operation('recover', { data: { ms: 5000 } })] },
      ],
      [
        'a cancel that comes to nothing',
        { operations: [submitted({}), operation('cancel', { wall: 1000 })] },
      ],
    ],
  ],
])('invariant %d', (invariant, cases) => {
  it.each(cases)('is violated by %s', (_, change) => {
    const violated = checkHistory(evidence(change)).map((violation) => violation.invariant);
    expect(violated).toContain(invariant);
  });
});
