import type { AttemptEnd, FarmEvent, JobId, StepView } from '#libs/contracts';
import {
  describeEnd,
  describeStandings,
  isAtRest,
  jobLabels,
  startModel,
  variantStandings,
  viewOf,
  withBuild,
  withEvent,
} from '#libs/watch';
import { describe, expect, it } from '@jest/globals';
import { changesBetween, whereItStands } from './build-changes.js';
import { renderWatch } from './render-watch.js';
import { attemptOf, buildOf, jobOf, stepOf } from '../../../../libs/watch/src/testing.js';

const id = (name: string) => `j-000000000${name}` as JobId;
const step = (index: number, name: string, part: Partial<StepView> = {}) =>
  stepOf({ index, name, message: `Do ${name}`, ...part });
const rowsOf = (build: Parameters<typeof buildOf>[0]) => viewOf(startModel(buildOf(build))).rows;

describe('jobLabels', () => {
  it.each([
    [['default'], [['default', 'main']], ['main']],
    [
      ['default'],
      [
        ['default', 'main'],
        ['default', 'iso'],
        ['default', 'main'],
      ],
      ['main', 'iso', 'main:2'],
    ],
    [
      ['gnome', 'text'],
      [
        ['gnome', 'main'],
        ['text', 'main'],
      ],
      ['gnome/main', 'text/main'],
    ],
  ] as const)('%j with %j', (variants, jobs, labels) => {
    const build = buildOf({
      variants: [...variants],
      jobs: jobs.map(([variant, lane], index) => jobOf({ id: id(String(index)), index, variant, lane })),
    });
    expect([...jobLabels(build).values()]).toEqual(labels);
  });
});

describe('a job that fetches a checkpoint', () => {
  it('shows how far it is', () => {
    const job = jobOf({ id: id('1'), attempts: [attemptOf({ phase: 'fetching' })] });
    const model = startModel(buildOf({ jobs: [job] }));
    const data = {
      label: '.step_b',
      from: 'tank',
      bytes: 500,
      totalBytes: 1000,
      bytesPerSecond: 100,
      secondsLeft: 5,
    };
    const event = {
      seq: 1,
      at: 1,
      type: 'transfer-progress',
      build: null,
      job: job.id,
      attempt: null,
      agent: null,
      data,
    };
    const remarkOf = (seen: typeof model) => viewOf(seen).rows[0]?.remark;
    expect(remarkOf(model)).toBe('fetches its inputs');
    expect(remarkOf(withEvent(model, event as FarmEvent))).toBe(
      'fetching checkpoint b from tank: 500 B of 1.0 kB, 100 B/s, 5.0s left',
    );
  });
});

describe('many variants', () => {
  const build = buildOf({
    variants: ['a', 'b', 'c', 'd'],
    optionalVariants: ['b', 'd'],
    jobs: (
      [
        ['a', 'succeeded'],
        ['a', 'running'],
        ['b', 'running'],
        ['b', 'failed'],
        ['c', 'blocked'],
        ['d', 'succeeded'],
      ] as const
    ).map(([variant, state], index) =>
      jobOf({
        id: id(String(index)),
        index,
        variant,
        state,
        steps: [step(0, 'x', { state: state === 'succeeded' ? 'succeeded' : 'waiting' })],
      }),
    ),
  });

  it('stand where the most telling of their jobs does', () => {
    const standings = variantStandings(build);
    expect(
      standings.map(({ name, state, steps, isOptional }) => [
        name,
        state,
        steps.done,
        steps.total,
        isOptional,
      ]),
    ).toEqual([
      ['a', 'running', 1, 2, false],
      ['b', 'failed', 0, 2, true],
      ['c', 'waiting', 0, 1, false],
      ['d', 'succeeded', 1, 1, true],
    ]);
    expect(describeStandings(standings)).toBe(
      '4 variants: 1 failed (optional), 1 running, 1 waiting, 1 succeeded',
    );
  });

  it('of a farm that does not know optional ones are all needed', () => {
    const { optionalVariants: known, ...older } = build;
    expect(known).toHaveLength(2);
    expect(variantStandings(older).some(({ isOptional }) => isOptional)).toBe(false);
  });

  it.each([
    [8, 2],
    [200, 5],
    [1000, 5],
  ])('fit a terminal: %d of %d jobs', (count, lanes) => {
    const variants = Array.from({ length: count }, (_, index) => `locale-v${index}.edition-rescue`);
    const jobs = variants.flatMap((variant, at) =>
      Array.from({ length: lanes }, (_, lane) =>
        jobOf({
          id: id(`${at}-${lane}`),
          index: lane,
          variant,
          lane: `lane-${lane}`,
          needs: lane === 0 ? [] : [lane - 1],
          state: lane > 0 ? 'blocked' : at === count - 1 ? 'failed' : at < 4 ? 'running' : 'waiting',
          steps: [step(0, 'im-pop'), step(1, 'im-mod'), step(2, 'iso')],
        }),
      ),
    );
    const view = viewOf(startModel(buildOf({ variants, jobs, steps: { total: jobs.length * 3, done: 0 } })));
    const lines = renderWatch(view, { width: 80, height: 23 }, 0);
    expect(lines.length).toBeLessThanOrEqual(23);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines[1]).toBe(`${count} variants: 1 failed, 4 running, ${count - 5} waiting`);
    expect(lines.filter((line) => line.includes('failed')).join()).toContain('/lane-0');
    const more = `  ${count * lanes - 19} more: `;
    expect(lines.at(-2)?.startsWith(more)).toBe(count * lanes > 20);
  });

  it('are counted, not listed, where a watcher begins', () => {
    const jobs = Array.from({ length: 30 }, (_, index) =>
      jobOf({ id: id(String(100 + index)), variant: `v${index}`, state: index < 2 ? 'running' : 'waiting' }),
    );
    const all = buildOf({ variants: jobs.map(({ variant }) => variant), jobs });
    expect(whereItStands(all).map(({ text }) => text)).toEqual([
      'v0/main: running, 0 of 0 steps',
      'v1/main: running, 0 of 0 steps',
      '30 variants: 2 running, 28 waiting',
      'build b-0000000001 of Live is running',
    ]);
  });
});

describe('describeEnd', () => {
  const job = { steps: [step(3, 'im-pop'), step(4, 'im-mod')] };
  it.each<[AttemptEnd, string]>([
    [{ kind: 'succeeded' }, 'succeeded'],
    [{ kind: 'paused', before: 4 }, 'paused before im-mod'],
    [{ kind: 'cancelled', at: 3 }, 'cancelled in im-pop'],
    [{ kind: 'cancelled', at: null }, 'cancelled'],
    [{ kind: 'failed', step: 4, outcome: { kind: 'exited', status: 3 } }, 'im-mod exited with status 3'],
    [{ kind: 'output', step: 4, reason: 'media/x.iso is missing' }, 'im-mod: media/x.iso is missing'],
    [
      { kind: 'infrastructure', fault: 'lost', at: 3, reason: 'no heartbeat for 60 s' },
      'the agent was lost in im-pop: no heartbeat for 60 s',
    ],
    [{ kind: 'withdrawn', reason: 'drained' }, 'withdrawn: drained'],
    [{ kind: 'paused', before: 9 }, 'paused before step 9'],
  ])('%j', (end, text) => {
    expect(describeEnd(end, job)).toBe(text);
  });
});

describe('isAtRest', () => {
  it.each([
    ['waiting', [], false],
    ['running', [], false],
    ['paused', [], true],
    ['succeeded', ['succeeded'], true],
    ['failed', ['failed', 'cancelled'], true],
    ['failed', ['failed', 'running'], false],
    ['cancelled', ['assigned'], false],
  ] as const)('%s with jobs %j: %s', (state, jobs, rest) => {
    expect(isAtRest(buildOf({ state, jobs: jobs.map((each) => jobOf({ state: each })) }))).toBe(rest);
  });
});

describe('viewOf', () => {
  it('shows the step that runs, where, since when and how long it usually takes', () => {
    const [row] = rowsOf({
      jobs: [
        jobOf({
          steps: [
            step(0, 'im-pop', { state: 'succeeded' }),
            step(1, 'im-mod', { state: 'running', startedAt: 5000, usualMs: 60_000 }),
            step(2, 'iso'),
          ],
          attempts: [attemptOf({ agentName: 'agent-b' })],
        }),
      ],
    });
    expect(row).toEqual({
      label: 'main',
      state: 'running',
      isOptional: false,
      agent: 'agent-b',
      marks: ['done', 'running', 'waiting'],
      running: { name: 'im-mod', message: 'Do im-mod', since: 5000, usualMs: 60_000 },
      remark: '',
    });
  });

  it('marks where a paused job stands, and where a build is to pause', () => {
    const steps = [step(0, 'a', { state: 'succeeded' }), step(1, 'b'), step(2, 'c')];
    const [paused] = rowsOf({
      jobs: [jobOf({ state: 'paused', steps, waitingReason: 'the build is paused' })],
    });
    expect(paused).toMatchObject({ marks: ['done', 'paused', 'waiting'], remark: 'the build is paused' });
    const [running] = rowsOf({ pauseBefore: 'c', jobs: [jobOf({ steps })] });
    expect(running?.marks).toEqual(['done', 'waiting', 'paused']);
  });

  it('says what a blocked job needs when the farm gives no reason', () => {
    const rows = rowsOf({
      jobs: [
        jobOf({ id: id('1'), index: 0, lane: 'x86-64' }),
        jobOf({ id: id('2'), index: 1, lane: 'x86-32', state: 'succeeded' }),
        jobOf({ id: id('3'), index: 2, state: 'blocked', needs: [0, 1] }),
        jobOf({ id: id('4'), index: 3, state: 'waiting', waitingReason: '0 of 2 agents match: 2 drained' }),
      ],
    });
    expect(rows.map(({ remark }) => remark)).toEqual([
      '',
      '',
      'waits for x86-64',
      '0 of 2 agents match: 2 drained',
    ]);
  });

  it.each([
    ['fetching', 'fetches its inputs'],
    ['publishing', 'publishes its outputs'],
    ['running', ''],
  ])('says what the agent does in phase %s', (phase, remark) => {
    const [row] = rowsOf({ jobs: [jobOf({ attempts: [attemptOf({ phase })] })] });
    expect(row?.remark).toBe(remark);
  });

  it.each([
    ['running', 'pause', 'pause'],
    ['waiting', 'cancel', 'cancel'],
    ['running', 'run', null],
    ['paused', 'pause', null],
    ['cancelled', 'cancel', null],
  ] as const)('a build that is %s with the wish %s still has to %s', (state, wish, shown) => {
    expect(viewOf(startModel(buildOf({ state, wish }))).wish).toBe(shown);
  });
});

describe('the model', () => {
  it('does not go back to an older view', () => {
    const model = startModel(buildOf({ eventSeq: 5, state: 'paused' }));
    expect(withBuild(model, buildOf({ eventSeq: 4, state: 'running' })).build.state).toBe('paused');
    expect(withBuild(model, buildOf({ eventSeq: 6, state: 'running' })).build.state).toBe('running');
  });

  const event = (type: FarmEvent['type'], data: FarmEvent['data']): FarmEvent => {
    return { seq: 1, at: 7, type, build: null, job: id('1'), attempt: null, agent: null, data };
  };
  it.each([
    ['warning', { text: 'disk is slow' }, 'main: disk is slow'],
    ['warning', {}, 'main: warning'],
    ['job-retried', { reason: 'the agent was lost' }, 'main: tried again: the agent was lost'],
    ['step-started', { step: 'a' }, undefined],
  ] as const)('keeps %s %j as the last warning: %s', (type, data, text) => {
    const model = withEvent(startModel(buildOf({ jobs: [jobOf({ id: id('1') })] })), event(type, data));
    expect(model.warning?.text).toBe(text);
  });
});

describe('changesBetween', () => {
  const waiting = buildOf({
    state: 'waiting',
    jobs: [jobOf({ state: 'waiting', steps: [step(0, 'a'), step(1, 'b')] })],
  });
  const lines = (before: typeof waiting, after: typeof waiting) =>
    changesBetween(before, after).map(({ at, text }) => `${at ?? '-'} ${text}`);

  it('tells all that happened between two looks, in order', () => {
    const after = buildOf({
      jobs: [
        jobOf({
          steps: [
            step(0, 'a', { state: 'succeeded', startedAt: 20, endedAt: 30, outcome: { kind: 'succeeded' } }),
            step(1, 'b', { state: 'running', startedAt: 40 }),
          ],
          attempts: [attemptOf({ assignedAt: 10 })],
        }),
      ],
    });
    expect(lines(waiting, after)).toEqual([
      '10 main: assigned to agent-a',
      '20 main: step 1 of 2, a: Do a',
      '30 main: a succeeded after 0.0s',
      '40 main: step 2 of 2, b: Do b',
      '- build running',
    ]);
    expect(lines(after, after)).toEqual([]);
  });

  it('tells why a job waits, and when the reason changes', () => {
    const job = (waitingReason: string) =>
      buildOf({ state: 'waiting', jobs: [jobOf({ state: 'waiting', waitingReason })] });
    expect(lines(job('no agent'), job('all are busy'))).toEqual(['- main: waiting: all are busy']);
    expect(lines(job('all are busy'), job('all are busy'))).toEqual([]);
  });

  it('tells once that fingerprints are asked for, and what came of it', () => {
    const asked = (waitingReason: string, state: 'blocked' | 'failed' = 'blocked') =>
      buildOf({
        state: state === 'failed' ? 'failed' : 'waiting',
        jobs: [jobOf({ state, waitingReason })],
      });
    const since = (seconds: number) => asked(`waits for the fingerprint (since ${seconds} s)`);
    expect(lines(asked(''), since(1))).toEqual(['- main: waits for the fingerprint (since 1 s)']);
    expect(lines(since(1), since(2))).toEqual([]);
    expect(lines(since(2), asked('no route', 'failed'))).toEqual([
      '- main: failed: no route',
      '- build failed',
    ]);
  });

  it('tells of a step that runs again, and of the attempt before', () => {
    const attempt = (part: object) =>
      buildOf({
        jobs: [jobOf({ steps: [step(0, 'a', { startedAt: 20, state: 'running', ...part })], attempts: [] })],
      });
    const end: AttemptEnd = { kind: 'infrastructure', fault: 'lost', at: 0, reason: 'silent' };
    const first = {
      ...attempt({}),
      jobs: attempt({}).jobs.map((job) => ({ ...job, attempts: [attemptOf({})] })),
    };
    const second = attempt({ startedAt: 60 });
    const attempts = [
      attemptOf({ state: 'ended', end, endedAt: 50 }),
      attemptOf({ id: 't-0000000002' as never, number: 2, agentName: 'agent-b', assignedAt: 55 }),
    ];
    const after = { ...second, jobs: second.jobs.map((job) => ({ ...job, attempts })) };
    expect(lines(first, after)).toEqual([
      '50 main: the agent was lost in a: silent',
      '55 main: assigned to agent-b (attempt 2)',
      '60 main: step 1 of 1, a: Do a',
    ]);
  });

  it('says where each job is to who begins to watch', () => {
    expect(whereItStands(waiting).map(({ text }) => text)).toEqual([
      'main: waiting, 0 of 2 steps',
      'build b-0000000001 of Live is waiting',
    ]);
  });
});
