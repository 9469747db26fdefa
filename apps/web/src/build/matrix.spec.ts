import { describe, expect, it } from '@jest/globals';
import type { BuildId, JobId } from '#libs/contracts';
import { startModel } from '#libs/watch';
import { attemptOf, buildOf, jobOf, stepOf } from '../../../../libs/watch/src/testing.js';
import { describeCell, shareOf } from './describe-cell.js';
import { matrixOf } from './matrix.js';
import { offeredActions, offeredStepActions } from './offered-actions.js';
import { timelineOf } from './timeline.js';

const id = (name: string): JobId => `j-000000000${name}` as JobId;
const step = (index: number, name: string, part: Parameters<typeof stepOf>[0] = {}) =>
  stepOf({ index, name, ...part });

/** Two variants; the second has no `iso`, and what it has in `x86` is a lane of its own. */
const build = buildOf({
  variants: ['gnome', 'text'],
  jobs: [
    jobOf({
      id: id('1'),
      variant: 'gnome',
      steps: [
        step(0, 'pop', { state: 'succeeded', startedAt: 0, endedAt: 4000 }),
        step(2, 'iso', { state: 'running', startedAt: 5000, usualMs: 10_000 }),
      ],
      attempts: [attemptOf({ agentName: 'tank' })],
    }),
    jobOf({
      id: id('2'),
      variant: 'gnome',
      lane: 'x86',
      steps: [step(1, 'boot', { reusedFrom: 'b-0000000009' as BuildId, state: 'succeeded' })],
      state: 'succeeded',
    }),
    jobOf({
      id: id('3'),
      variant: 'text',
      state: 'waiting',
      waitingReason: 'all slots are taken',
      steps: [step(0, 'pop')],
    }),
  ],
});

describe('the matrix of a build', () => {
  const matrix = matrixOf(startModel(build));

  it('has a column for each step, in the order of the manifest, whatever lane or variant it is of', () => {
    expect(matrix.steps.map(({ name }) => name)).toEqual(['pop', 'boot', 'iso']);
  });

  it('has a line for each variant, with what is missing left out', () => {
    expect(
      matrix.lines.map(({ variant, cells }) => [variant, cells.map((cell) => cell?.mark ?? null)]),
    ).toEqual([
      ['gnome', ['done', 'reused', 'running']],
      ['text', ['waiting', null, null]],
    ]);
  });

  it('keeps the lines of variants to which nothing happened', () => {
    const [first, ...others] = build.jobs;
    const jobs = [
      { ...first!, steps: first!.steps.map((each) => ({ ...each, state: 'succeeded' as const })) },
    ];
    const model = { ...startModel(build), transfers: matrix.transfers };
    const next = matrixOf({ ...model, build: { ...build, jobs: [...jobs, ...others] } }, matrix);
    expect(next.lines[0]?.cells.map((cell) => cell?.mark)).toEqual(['done', 'reused', 'done']);
    expect(next.lines[1]).toBe(matrix.lines[1]);
    const paused = matrixOf({ ...model, build: { ...build, pauseBefore: 'pop' } }, matrix);
    expect(paused.lines[1]?.cells[0]?.mark).toBe('paused');
  });

  it('says who runs it, and why nobody does', () => {
    expect(matrix.lines.map(({ agents, remark }) => [agents, remark])).toEqual([
      [['tank'], 'as in b-0000000009'],
      [[], 'all slots are taken'],
    ]);
  });

  it.each([
    [0, 'gnome, pop: done in 4.0s'],
    [2, 'gnome, iso: running for 3.0s, usually 10s'],
  ])('tells cell %d as %s', (column, words) => {
    expect(describeCell(matrix.lines[0]!.cells[column]!, 8000)).toBe(words);
  });

  it('is never further than its usual time', () => {
    const { step: running } = matrix.lines[0]!.cells[2]!;
    expect([8000, 99_000].map((now) => shareOf(running, now))).toEqual([0.3, 1]);
  });
});

describe('what is offered', () => {
  it.each([
    [
      { state: 'running', wish: 'run' },
      { pause: true, goOn: null, cancel: true },
    ],
    [
      { state: 'running', wish: 'pause' },
      { pause: false, goOn: 'resume', cancel: true },
    ],
    [
      { state: 'running', wish: 'run', pauseBefore: 'iso' },
      { pause: true, goOn: 'resume', cancel: true },
    ],
    [
      { state: 'running', wish: 'cancel' },
      { pause: false, goOn: null, cancel: false },
    ],
    [
      { state: 'paused', wish: 'pause' },
      { pause: false, goOn: 'resume', cancel: true },
    ],
    [
      { state: 'failed', wish: 'run' },
      { pause: false, goOn: 'retry', cancel: false },
    ],
    [
      { state: 'cancelled', wish: 'cancel' },
      { pause: false, goOn: 'retry', cancel: false },
    ],
    [
      { state: 'succeeded', wish: 'run' },
      { pause: false, goOn: null, cancel: false },
    ],
  ] as const)('of a build %j: %j', (part, offered) => {
    expect(offeredActions({ pauseBefore: null, ...part })).toEqual(offered);
  });

  it.each([
    ['running', 'waiting', { pauseBefore: true, resumeFrom: false, retryVariant: false }],
    ['running', 'succeeded', { pauseBefore: false, resumeFrom: false, retryVariant: false }],
    ['paused', 'succeeded', { pauseBefore: false, resumeFrom: true, retryVariant: false }],
    ['failed', 'failed', { pauseBefore: false, resumeFrom: true, retryVariant: true }],
  ] as const)('of a job that is %s, at a step that is %s: %j', (state, at, offered) => {
    const cell = { job: jobOf({ state }), step: stepOf({ state: at }) };
    const open = state === 'failed' ? 'failed' : 'running';
    expect(offeredStepActions({ state: open, wish: 'run' }, cell)).toEqual(offered);
  });
});

describe('the timeline of a build', () => {
  it('is nothing before the first attempt', () => {
    expect(timelineOf(buildOf({ jobs: [jobOf({})] }), 0)).toBeNull();
  });

  it('places attempts by their time, and says where one took over from another agent', () => {
    const lost = attemptOf({
      agentName: 'tank',
      assignedAt: 0,
      endedAt: 5000,
      end: { kind: 'infrastructure', fault: 'lost', at: 0, reason: 'no lease' },
    });
    const next = attemptOf({
      id: 't-0000000002' as typeof lost.id,
      number: 2,
      agent: 'a-0000000002' as typeof lost.agent,
      agentName: 'spare',
      assignedAt: 7500,
    });
    const timeline = timelineOf(buildOf({ jobs: [jobOf({ attempts: [lost, next] })] }), 10_000);
    expect(timeline?.lines[0]?.bars).toMatchObject([
      {
        from: 0,
        width: 0.5,
        tone: 'bad',
        words: expect.stringContaining('the agent was lost'),
        tookOverFrom: null,
      },
      { from: 0.75, width: 0.25, tone: 'busy', words: 'running', tookOverFrom: 'tank' },
    ]);
  });

  it('draws a state from where it was made to where it went on', () => {
    const made = attemptOf({ agentName: 'tank', assignedAt: 0, endedAt: 5000 });
    const next = attemptOf({
      id: 't-0000000002' as typeof made.id,
      number: 2,
      agentName: 'spare',
      assignedAt: 7000,
    });
    const takeover = {
      job: id('1'),
      from: made.id,
      to: next.id,
      madeAt: 2000,
      at: 8000,
      before: 'iso',
      carried: { how: 'fetched', source: 'mill', bytes: 12_000_000, ms: 3100 },
    } as const;
    const jobs = [jobOf({ attempts: [made, next] }), jobOf({ id: id('2'), attempts: [made] })];
    const timeline = timelineOf(buildOf({ jobs }), 10_000, [takeover]);
    const words = 'state in front of iso, fetched from mill: 12.0 MB in 3.1s';
    expect(timeline?.lines.map(({ arrows }) => arrows)).toEqual([
      [
        {
          from: 0.2,
          to: 0.8,
          words,
          sentence: `attempt 2 on spare went on with what attempt 1 on tank had made: ${words}`,
        },
      ],
      [],
    ]);
  });
});
