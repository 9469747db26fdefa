import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  decodeFacts,
  findResumable,
  findResumableInJob,
  type HeldBoundary,
  type Job,
  type OutputImport,
  type Plan,
  type PlannedStep,
} from '#libs/plan';
import { DirectorySnapshotStore } from '#libs/snapshots';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { planOf } from '../../plan/src/testing.js';
import type { BuildEvent } from './build-event.js';
import { OutputCarrier, OutputError } from './output-carrier.js';
import { runJob, runPlan, type BuildRequest, type BuildResult, type JobRequest } from './run-plan.js';
import { SnapshotStoreError, type SnapshotStore, type Workspace } from './snapshot-store.js';
import { StepRunner, type StepOutcome } from './step-runner.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'run-plan-'));
});
afterEach(async () => rm(root, { recursive: true }));

/** Runs functions where a ScriptRunner runs scripts: each adds its name to `trace` in the workspace. */
class FunctionRunner extends StepRunner {
  readonly ran: string[] = [];

  constructor(
    private readonly behave: (step: PlannedStep, signal: AbortSignal) => StepOutcome | Promise<StepOutcome>,
  ) {
    super();
  }

  override async run(step: PlannedStep, workspace: Workspace, signal: AbortSignal): Promise<StepOutcome> {
    this.ran.push(step.name);
    await writeFile(join(workspace.path, 'trace'), `${step.name}\n`, { flag: 'a' });
    return await this.behave(step, signal);
  }
}

class NoteOutputs extends OutputCarrier {
  readonly carried: string[] = [];

  override async carry(
    { path }: OutputImport,
    to: Workspace,
    from: () => Promise<Workspace>,
  ): Promise<string> {
    if (path === 'tmp/missing') throw new OutputError('OUTPUT_MISSING', path, `no step wrote "${path}"`);
    this.carried.push(`${(await from()).name}/${path} -> ${to.name}`);
    return 'digest';
  }
}

interface Outcome {
  readonly result: BuildResult;
  readonly ran: readonly string[];
  readonly events: readonly string[];
  readonly carried: readonly string[];
}

const succeed = (): StepOutcome => ({ kind: 'succeeded' });

interface RunOptions {
  readonly plan?: Plan;
  readonly behave?: ConstructorParameters<typeof FunctionRunner>[0];
  readonly request?: Partial<BuildRequest>;
  readonly store?: SnapshotStore;
  readonly signal?: AbortSignal;
}

async function run(steps: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { behave = succeed, request = {}, signal = new AbortController().signal } = options;
  const store = options.store ?? new DirectorySnapshotStore({ root, layout: [] });
  const runner = new FunctionRunner(behave);
  const outputs = new NoteOutputs();
  const events: string[] = [];
  const defaults: BuildRequest = {
    build: 'b1',
    resumeFrom: [],
    pausesBefore: () => false,
    checkpoints: true,
    stopOnError: true,
  };
  const report = (event: BuildEvent): void => void events.push(describeEvent(event));
  const ports = { store, runner, outputs, report, now: () => new Date(0) };
  const result = await runPlan(options.plan ?? planOf(steps), { ...defaults, ...request }, ports, signal);
  return { result, ran: runner.ran, events, carried: outputs.carried };
}

function describeEvent(event: BuildEvent): string {
  switch (event.type) {
    case 'job-started':
      return `job ${event.job.lane}`;
    case 'job-reused':
      return `as in ${event.checkpoint.workspace}${event.checkpoint.label}`;
    case 'output-imported':
      return `import ${event.path}`;
    case 'resumed':
      return `resumed ${event.before.name}`;
    case 'step-started':
      return `start ${event.step.name}`;
    case 'step-ended':
      return `end ${event.step.name} ${event.outcome.kind}`;
    case 'checkpoint-taken':
      return `checkpoint ${event.checkpoint.workspace}${event.checkpoint.label}`;
  }
}

describe('runPlan', () => {
  it('takes a checkpoint, runs a step, takes a checkpoint', async () => {
    const { result, events } = await run(['a', 'b']);
    expect(result).toEqual({ kind: 'finished' });
    expect(events).toEqual([
      'job main',
      'checkpoint build_data.step_a',
      'start a',
      'end a succeeded',
      'checkpoint build_data.step_b',
      'start b',
      'end b succeeded',
    ]);
  });

  it('brings a lane’s outputs in before the checkpoint where it joins', async () => {
    const { events, carried } = await run(['l:a>tmp/x', 'b', 'm:c']);
    expect(carried).toEqual(['build_data.l/tmp/x -> build_data']);
    expect(events.slice(4, 8)).toEqual([
      'checkpoint build_data.l.end_a',
      'job main',
      'import tmp/x',
      'checkpoint build_data.step_b',
    ]);
  });

  it('stops at a failing step, and keeps the checkpoint in front of it', async () => {
    const { result, events } = await run(['a', 'b', 'c'], {
      behave: ({ name }) => (name === 'b' ? { kind: 'exited', status: 3 } : succeed()),
    });
    expect(result).toMatchObject({
      kind: 'failed',
      failures: [{ step: { name: 'b' }, outcome: { kind: 'exited', status: 3 } }],
    });
    expect(events.at(-1)).toBe('end b exited');
  });

  it('goes on behind failed steps when told to, naming them all, without checkpoints', async () => {
    const { result, ran, events } = await run(['a', 'b', 'c'], {
      behave: ({ name }) => (name === 'c' ? succeed() : { kind: 'killed', signal: 'SIGSEGV' }),
      request: { stopOnError: false },
    });
    expect(ran).toEqual(['a', 'b', 'c']);
    expect(result).toMatchObject({
      kind: 'failed',
      failures: [{ step: { name: 'a' } }, { step: { name: 'b' } }],
    });
    expect(events.filter((event) => event.startsWith('checkpoint'))).toEqual([
      'checkpoint build_data.step_a',
    ]);
  });

  it('stops in front of the step to pause at, with its checkpoint taken', async () => {
    const { result, events } = await run(['a', 'b'], {
      request: { pausesBefore: ({ name }) => name === 'b' },
    });
    expect(result).toMatchObject({ kind: 'paused', before: { name: 'b' } });
    expect(events.at(-1)).toBe('checkpoint build_data.step_b');
  });

  it('runs nothing when already told to stop, and no further step when told between two', async () => {
    const aborted = new AbortController();
    aborted.abort(new Error('SIGTERM'));
    expect(await run(['a'], { signal: aborted.signal })).toMatchObject({
      result: { kind: 'interrupted', at: { name: 'a' }, reason: 'SIGTERM' },
      ran: [],
    });
    const later = new AbortController();
    const behave = (): StepOutcome => {
      later.abort(new Error('SIGINT'));
      return succeed();
    };
    expect(await run(['a', 'b'], { signal: later.signal, behave })).toMatchObject({
      result: { kind: 'interrupted', at: { name: 'b' }, reason: 'SIGINT' },
      ran: ['a'],
    });
  });

  it('resumes from a checkpoint, on the state it holds', async () => {
    await run(['a', 'b', 'c']);
    const store = new DirectorySnapshotStore({ root, layout: [] });
    const { held } = findResumable(planOf(['a', 'b', 'c']), await store.list('build_data'));
    const { events } = await run(['a', 'b', 'c'], { request: { build: 'b2', resumeFrom: held.slice(0, 2) } });
    expect(events.slice(0, 4)).toEqual(['job main', 'resumed b', 'start b', 'end b succeeded']);
    expect(await readFile(join(root, 'build_data/trace'), 'utf8')).toBe('a\nb\nc\n');
    expect((await store.list('build_data')).map(({ label }) => label)).toEqual([
      '.step_a',
      '.step_b',
      '.step_c',
    ]);
  });

  it('takes only the checkpoints that lanes are forked from when checkpoints are off', async () => {
    const { result, events } = await run(['a', 'b', 'm:c'], { request: { checkpoints: false } });
    expect(result).toEqual({ kind: 'finished' });
    expect(events.filter((event) => event.startsWith('checkpoint'))).toEqual(['checkpoint build_data.end_b']);
  });

  it('ends the build when a checkpoint cannot be taken', async () => {
    class FullStore extends DirectorySnapshotStore {
      override async take(...args: Parameters<SnapshotStore['take']>): ReturnType<SnapshotStore['take']> {
        if (args[1] === '.step_b') throw new SnapshotStoreError('NO_SPACE', 'the build area is full');
        return await super.take(...args);
      }
    }
    const { result, ran } = await run(['a', 'b'], { store: new FullStore({ root, layout: [] }) });
    expect(result).toMatchObject({ kind: 'stopped', at: { name: 'a' }, error: { code: 'NO_SPACE' } });
    expect(ran).toEqual(['a']);
  });

  it('ends the build when an output is missing, before the step that needs it', async () => {
    const { result, ran } = await run(['l:a>tmp/missing', 'b']);
    expect(result).toMatchObject({ kind: 'stopped', at: { name: 'b' }, error: { code: 'OUTPUT_MISSING' } });
    expect(ran).toEqual(['a']);
  });

  it('does not hide a bug of ours', async () => {
    const behave = (): StepOutcome => {
      throw new TypeError('a bug');
    };
    await expect(run(['a'], { behave })).rejects.toThrow('a bug');
  });
});

describe('runJob', () => {
  const STEPS = ['a', 'b', 'm:c', 'm:d'];
  const plan = planOf(STEPS);
  const [main, side] = [plan.jobs[0]!, plan.jobs[1]!];

  async function runOne(
    job: typeof main,
    request: Partial<JobRequest> = {},
  ): Promise<Omit<Outcome, 'carried'>> {
    const runner = new FunctionRunner(succeed);
    const events: string[] = [];
    const report = (event: BuildEvent): void => void events.push(describeEvent(event));
    const store = new DirectorySnapshotStore({ root, layout: [] });
    const ports = { store, runner, outputs: new NoteOutputs(), report, now: () => new Date(0) };
    const defaults: JobRequest = {
      build: `lineage ${job.index}`,
      resumeFrom: [],
      pausesBefore: () => false,
      checkpoints: true,
      stopOnError: true,
      base: null,
    };
    const signal = new AbortController().signal;
    const result = await runJob(plan, job, { ...defaults, ...request }, ports, signal);
    return { result, ran: runner.ran, events };
  }

  const held = async (job: typeof main): Promise<readonly HeldBoundary[]> => {
    const store = new DirectorySnapshotStore({ root, layout: [] });
    const checkpoints = await store.list(job.workspace);
    return findResumableInJob(plan, job, checkpoints, {
      lineage: `lineage ${job.index}`,
      ancestry: [],
    }).held;
  };

  it('runs one job, its chain of checkpoints starting with itself', async () => {
    expect((await runOne(main)).events.at(-1)).toBe('checkpoint build_data.end_b');
    const base = (await held(main)).at(-1)!.checkpoint;
    expect(await runOne(side, { base })).toMatchObject({ result: { kind: 'finished' }, ran: ['c', 'd'] });
    const [first] = await held(side);
    expect(first?.facts).toMatchObject({ previous: '', build: 'lineage 1' });
    expect(await readFile(join(root, 'build_data.m/trace'), 'utf8')).toBe('a\nb\nc\nd\n');
  });

  it('resumes behind its last step with nothing to run, on the state it ended in', async () => {
    await runOne(main);
    const resumeFrom = await held(main);
    await writeFile(join(root, 'build_data/trace'), 'spoilt');
    const { result, ran, events } = await runOne(main, { resumeFrom });
    expect({ result, ran, events }).toEqual({ result: { kind: 'finished' }, ran: [], events: ['job main'] });
    expect(await readFile(join(root, 'build_data/trace'), 'utf8')).toBe('a\nb\n');
  });

  it('says what is missing when the base is not given', async () => {
    expect((await runOne(side)).result).toMatchObject({ kind: 'stopped', error: { code: 'NOT_FOUND' } });
  });

  it('pauses as soon as it is told to, at the next boundary', async () => {
    let asked = 0;
    const { result, ran } = await runOne(main, { pausesBefore: () => (asked += 1) > 1 });
    expect(result).toMatchObject({ kind: 'paused', before: { name: 'b' } });
    expect(ran).toEqual(['a']);
  });
});

describe('a run that may go to checkpoints at hand', () => {
  const STEPS = ['a', 'l:b>tmp/x', 'c', 'd'];
  const plan = planOf(STEPS, { everyEnd: true });

  /** Goes to the checkpoint of that label, where a job has it. */
  async function goTo(labels: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const store = options.store ?? new DirectorySnapshotStore({ root, layout: [] });
    const furthestAtHand = async (job: Job): Promise<HeldBoundary | null> => {
      const checkpoints = await store.list(job.workspace);
      const found = plan.boundaries.flatMap((boundary) => {
        const checkpoint = checkpoints.find(({ label }) => label === boundary.label);
        if (boundary.job !== job.index || checkpoint === undefined || !labels.includes(boundary.label))
          return [];
        return [{ boundary, checkpoint, facts: decodeFacts(checkpoint.facts)! }];
      });
      return found.at(-1) ?? null;
    };
    return await run(STEPS, { ...options, plan, store, request: { furthestAtHand, ...options.request } });
  }

  const trace = async (workspace: string): Promise<string> =>
    (await readFile(join(root, workspace, 'trace'), 'utf8')).replaceAll('\n', '');

  it('runs all where none is', async () => {
    expect((await goTo(['.end_a'])).ran).toEqual(['a', 'b', 'c', 'd']);
  });

  it('runs nothing where all ends are, and leaves the workspaces as they end', async () => {
    await goTo([]);
    await writeFile(join(root, 'build_data/trace'), 'spoilt');
    await writeFile(join(root, 'build_data.l/trace'), 'spoilt');
    const { result, ran, events } = await goTo(['.end_a', '.end_b', '.end_d'], { request: { build: 'b2' } });
    expect({ result, ran }).toEqual({ result: { kind: 'finished' }, ran: [] });
    expect(events).toEqual(['as in build_data.end_a', 'as in build_data.l.end_b', 'as in build_data.end_d']);
    expect(await trace('build_data')).toBe('acd');
    expect(await trace('build_data.l')).toBe('ab');
  });

  it('goes on within a job, and keeps the chain', async () => {
    await goTo([]);
    const { ran, events } = await goTo(['.end_a', '.end_b', '.step_d'], { request: { build: 'b2' } });
    expect(ran).toEqual(['d']);
    expect(events.slice(2)).toEqual([
      'job main',
      'resumed d',
      'start d',
      'end d succeeded',
      'checkpoint build_data.end_d',
    ]);
    expect(await trace('build_data')).toBe('acd');
    expect(await held(plan)).toHaveLength(plan.boundaries.length);
  });

  it('runs a lane again from the checkpoint that it is forked from, and brings it in again', async () => {
    await goTo([]);
    const { ran, carried } = await goTo(['.end_a'], { request: { build: 'b2' } });
    expect(ran).toEqual(['b', 'c', 'd']);
    expect(carried).toEqual(['build_data.l/tmp/x -> build_data']);
    expect(await trace('build_data')).toBe('acd');
  });

  it('looks for none behind a failed step', async () => {
    await goTo([]);
    const behave = ({ name }: PlannedStep): StepOutcome =>
      name === 'b' ? { kind: 'exited', status: 1 } : { kind: 'succeeded' };
    const { result, ran } = await goTo(['.end_a', '.end_d'], {
      behave,
      request: { build: 'b2', stopOnError: false },
    });
    expect(result).toMatchObject({ kind: 'failed' });
    expect(ran).toEqual(['b', 'c', 'd']);
  });

  it('keeps with a checkpoint the key that its state has then', async () => {
    const known = plan.boundaries.map(({ label }) => (label === '.step_d' ? null : `key of ${label}`));
    const store = new DirectorySnapshotStore({ root, layout: [] });
    await goTo([], { store, request: { keys: known } });
    const keys = (await store.list('build_data')).map(({ facts }) => decodeFacts(facts)?.key);
    expect(keys).toEqual(['key of .step_a', 'key of .end_a', 'key of .step_c', '', 'key of .end_d']);
  });

  async function held(of: Plan): Promise<readonly HeldBoundary[]> {
    const store = new DirectorySnapshotStore({ root, layout: [] });
    const all = await Promise.all(['build_data', 'build_data.l'].map((name) => store.list(name)));
    return findResumable(of, all.flat()).held;
  }
});
