import {
  encodeFacts,
  factsAt,
  type Boundary,
  type Checkpoint,
  type HeldBoundary,
  type Job,
  type Plan,
  type PlannedStep,
} from '#libs/plan';
import type { BuildEvent } from './build-event.js';
import { OutputError, type OutputCarrier } from './output-carrier.js';
import { SnapshotStoreError, type SnapshotStore, type Workspace } from './snapshot-store.js';
import type { StepOutcome, StepRunner } from './step-runner.js';

export interface BuildRequest {
  /** Identifies this run in the facts of its checkpoints. */
  readonly build: string;
  /** Step keys by index of boundary, looked at when a checkpoint is taken and kept with it: what a step does may show that they are not known. Left out: none are. */
  readonly keys?: readonly (string | null)[];
  /** The furthest checkpoint at hand whose key is that of the job's own state there, asked when the job begins; left out, or `null`: there is none, and the job runs from its start. */
  readonly furthestAtHand?: (job: Job) => Promise<HeldBoundary | null>;
  /** The checkpoints from the first boundary up to the one to resume from; empty: start from nothing. */
  readonly resumeFrom: readonly HeldBoundary[];
  /** Asked in front of each step, with its checkpoint taken: the answer may change while the build runs. */
  readonly pausesBefore: (step: PlannedStep) => boolean | Promise<boolean>;
  /** Off: only what a lane is forked from is kept. */
  readonly checkpoints: boolean;
  /** False: go on behind a failed step, but take no further checkpoint (they would hold broken work). */
  readonly stopOnError: boolean;
}

/** For one job by itself, wherever its neighbours run. `resumeFrom` has boundaries of this job only; they may end with its last one. */
export interface JobRequest extends BuildRequest {
  /** The checkpoint of the boundary that the job goes on from; `null` when it starts from nothing, or resumes. */
  readonly base: Checkpoint | null;
  /** Makes the job's workspace equal to the base; left out: the store does, which holds it. */
  readonly startFromBase?: (base: Checkpoint, workspace: string) => Promise<Workspace>;
  /** Done to the workspace of a job that begins, before its first checkpoint. */
  readonly begin?: (workspace: Workspace) => Promise<void>;
}

export interface BuildPorts {
  readonly store: SnapshotStore;
  readonly runner: StepRunner;
  readonly outputs: OutputCarrier;
  readonly report: (event: BuildEvent) => void;
  readonly now: () => Date;
}

export interface StepFailure {
  readonly step: PlannedStep;
  readonly outcome: Exclude<StepOutcome, { kind: 'succeeded' | 'interrupted' }>;
}

/** Every way a build ends. Resuming is possible after each of them. */
export type BuildResult =
  | { readonly kind: 'finished' }
  | { readonly kind: 'paused'; readonly before: PlannedStep }
  | { readonly kind: 'interrupted'; readonly at: PlannedStep; readonly reason: string }
  | { readonly kind: 'failed'; readonly failures: readonly StepFailure[] }
  /** A checkpoint could not be taken or gone back to, or an output not be carried: no step ran on doubtful data. */
  | { readonly kind: 'stopped'; readonly at: PlannedStep; readonly error: SnapshotStoreError | OutputError };

/**
 * The product: runs a plan's jobs one after the other, a checkpoint in front of every step. A build that ends early can be resumed at
 * any checkpoint taken so far.
 */
export async function runPlan(
  plan: Plan,
  request: BuildRequest,
  ports: BuildPorts,
  signal: AbortSignal,
): Promise<BuildResult> {
  const run = startRun(plan, request, ports, signal);
  const first = run.last?.boundary.job ?? 0;
  for (const job of plan.jobs.slice(first)) {
    const result = await runSteps(run, job);
    if (result !== null) return result;
  }
  return resultOf(run);
}

/**
 * One job of the plan by the same loop, as an agent runs it. Its chain of checkpoints stands by itself: the first one has none before it. The outputs it
 * imports are the carrier's business alone, since the lanes they come from may have run elsewhere.
 */
export async function runJob(
  plan: Plan,
  job: Job,
  request: JobRequest,
  ports: BuildPorts,
  signal: AbortSignal,
): Promise<BuildResult> {
  const run = startRun(plan, request, ports, signal, request);
  if (job.base.kind !== 'empty' && request.base !== null) run.held.set(job.base.boundary.index, request.base);
  return (await runSteps(run, job)) ?? resultOf(run);
}

/** What one run of the loop carries from job to job. */
interface Run {
  readonly plan: Plan;
  readonly request: BuildRequest;
  readonly ports: BuildPorts;
  readonly signal: AbortSignal;
  readonly begin: (workspace: Workspace) => Promise<void>;
  readonly startFromBase: (base: Checkpoint, workspace: string) => Promise<Workspace>;
  /** Checkpoints that were there before, by the index of their boundary. */
  readonly held: Map<number, Checkpoint>;
  /** Workspaces as this run left them, and the boundary each stands at. */
  readonly live: Map<string, { readonly workspace: Workspace; readonly at: Boundary | null }>;
  /** The newest boundary this run holds a checkpoint of. */
  last: Pick<HeldBoundary, 'boundary' | 'checkpoint'> | null;
  readonly failures: StepFailure[];
}

function startRun(
  plan: Plan,
  request: BuildRequest,
  ports: BuildPorts,
  signal: AbortSignal,
  ofJob: Partial<Pick<JobRequest, 'begin' | 'startFromBase'>> = {},
): Run {
  return {
    plan,
    request,
    ports,
    signal,
    begin: ofJob.begin ?? (async () => {}),
    startFromBase:
      ofJob.startFromBase ?? (async (base, workspace) => await ports.store.startFrom(base, workspace)),
    held: new Map(request.resumeFrom.map(({ boundary, checkpoint }) => [boundary.index, checkpoint])),
    live: new Map(),
    last: request.resumeFrom.at(-1) ?? null,
    failures: [],
  };
}

function resultOf({ failures }: Run): BuildResult {
  return failures.length > 0 ? { kind: 'failed', failures } : { kind: 'finished' };
}

/** `null`: the job ended and the build goes on. */
async function runSteps(run: Run, job: Job): Promise<BuildResult | null> {
  const { request, ports, signal } = run;
  let at = job.steps[0];
  if (at === undefined) return null;
  try {
    const reached = await furthestAtHand(run, job);
    if (reached !== null && reached.boundary.before === null) return await passOver(run, job, reached);
    const steps = stepsToRun(run, job);
    at = steps[0] ?? job.steps.at(-1) ?? at;
    ports.report({ type: 'job-started', job });
    const workspace = await openWorkspace(run, job);
    for (const step of steps) {
      at = step;
      if (await request.pausesBefore(step)) return { kind: 'paused', before: step };
      if (signal.aborted) return { kind: 'interrupted', at: step, reason: reasonOf(signal) };
      const outcome = await runStep(run, step, workspace);
      if (outcome.kind === 'interrupted') return { kind: 'interrupted', at: step, reason: outcome.reason };
      if (outcome.kind !== 'succeeded') run.failures.push({ step, outcome });
      if (run.failures.length > 0 && request.stopOnError) return { kind: 'failed', failures: run.failures };
      await takeCheckpoint(run, boundaryBehind(run.plan, job, step), workspace);
    }
    return null;
  } catch (error) {
    if (!(error instanceof SnapshotStoreError || error instanceof OutputError)) throw error;
    // Behind a failed step no state is kept, so what comes next may have nothing to start from: the failure is the news.
    return run.failures.length > 0
      ? { kind: 'failed', failures: run.failures }
      : { kind: 'stopped', at, error };
  }
}

/** "A checkpoint with this step's key is at hand? Go to it, run nothing": the job begins there. */
async function furthestAtHand(run: Run, job: Job): Promise<HeldBoundary | null> {
  if (run.failures.length > 0 || run.last?.boundary.job === job.index) return null;
  const reached = (await run.request.furthestAtHand?.(job)) ?? null;
  if (reached === null) return null;
  run.held.set(reached.boundary.index, reached.checkpoint);
  run.last = reached;
  return reached;
}

/** Nothing of the job has to run. Its workspace stays as it is for now when it goes on in a later job: going back would drop what that one may go to. */
async function passOver(run: Run, job: Job, end: HeldBoundary): Promise<null> {
  const { plan, ports } = run;
  ports.report({ type: 'job-reused', job, checkpoint: end.checkpoint });
  if (plan.jobs.some(({ index, workspace }) => index > job.index && workspace === job.workspace)) return null;
  const workspace = await ports.store.startFrom(end.checkpoint, job.workspace);
  run.live.set(job.workspace, { workspace, at: end.boundary });
  return null;
}

/** All of the job, or what lies behind the checkpoint it resumes from. */
function stepsToRun({ last }: Run, job: Job): readonly PlannedStep[] {
  if (last?.boundary.job !== job.index) return job.steps;
  const { before } = last.boundary;
  return before === null ? [] : job.steps.filter((step) => step.index >= before.index);
}

async function runStep(
  { ports, signal }: Run,
  step: PlannedStep,
  workspace: Workspace,
): Promise<StepOutcome> {
  ports.report({ type: 'step-started', step });
  const outcome = await ports.runner.run(step, workspace, signal);
  ports.report({ type: 'step-ended', step, outcome });
  return outcome;
}

/** Brings the job's workspace to the state its first step expects, and holds that state. */
async function openWorkspace(run: Run, job: Job): Promise<Workspace> {
  const { last, ports } = run;
  if (last?.boundary.job === job.index) {
    const { boundary, checkpoint } = last;
    const workspace = await ports.store.startFrom(checkpoint, job.workspace);
    if (boundary.before !== null) ports.report({ type: 'resumed', before: boundary.before, checkpoint });
    return workspace;
  }
  const workspace = await startJob(run, job);
  await run.begin(workspace);
  for (const output of job.imports) {
    const { lane, path } = output;
    const digest = await ports.outputs.carry(
      output,
      workspace,
      async () => await laneWorkspace(run, output.workspace),
    );
    ports.report({ type: 'output-imported', job, lane, path, digest });
  }
  await takeCheckpoint(run, firstBoundary(run.plan, job), workspace);
  return workspace;
}

async function startJob(run: Run, job: Job): Promise<Workspace> {
  const { store } = run.ports;
  if (job.base.kind === 'empty') return await store.startEmpty(job.workspace);
  const { boundary } = job.base;
  const live = run.live.get(job.workspace);
  if (job.base.kind === 'continue' && live?.at?.index === boundary.index) return live.workspace;
  return await run.startFromBase(await checkpointAt(run, boundary), job.workspace);
}

/** A lane that ended in this run is as it left it; one that ended in an earlier run is brought back to its end. */
async function laneWorkspace(run: Run, name: string): Promise<Workspace> {
  const live = run.live.get(name);
  if (live !== undefined) return live.workspace;
  const end = run.plan.boundaries.findLast(({ workspace, before }) => workspace === name && before === null);
  if (end === undefined) throw new RangeError(`workspace "${name}" has no end boundary`);
  const workspace = await run.ports.store.startFrom(await checkpointAt(run, end), name);
  run.live.set(name, { workspace, at: end });
  return workspace;
}

async function checkpointAt(run: Run, boundary: Boundary): Promise<Checkpoint> {
  const held = run.held.get(boundary.index);
  if (held !== undefined) return held;
  const all = await run.ports.store.list(boundary.workspace);
  const taken = all.find(
    ({ label, facts }) => label === boundary.label && facts['build'] === run.request.build,
  );
  if (taken !== undefined) return taken;
  throw new SnapshotStoreError(
    'NOT_FOUND',
    `there is no checkpoint "${boundary.label}" of workspace "${boundary.workspace}" to go on from`,
    run.failures.length > 0 ? 'a step before it failed, so its state was not kept' : null,
  );
}

async function takeCheckpoint(run: Run, boundary: Boundary | null, workspace: Workspace): Promise<void> {
  const { plan, request, ports, last, failures } = run;
  const wanted =
    boundary !== null && failures.length === 0 && (request.checkpoints || isForkedFrom(plan, boundary));
  run.live.set(workspace.name, { workspace, at: boundary });
  if (!wanted) return;
  const key = request.keys?.[boundary.index] ?? null;
  const facts = factsAt(boundary, last?.checkpoint.id ?? '', plan.digests, request.build, ports.now(), key);
  const checkpoint = await ports.store.take(workspace.name, boundary.label, encodeFacts(facts));
  run.last = { boundary, checkpoint };
  ports.report({ type: 'checkpoint-taken', boundary, checkpoint });
}

function isForkedFrom(plan: Plan, boundary: Boundary): boolean {
  return plan.jobs.some(({ base }) => base.kind === 'fork' && base.boundary.index === boundary.index);
}

function firstBoundary(plan: Plan, job: Job): Boundary | null {
  return plan.boundaries.find((boundary) => boundary.job === job.index) ?? null;
}

/** The boundary a step leads to; `null` behind a job's last step when nothing starts from there. */
function boundaryBehind(plan: Plan, job: Job, step: PlannedStep): Boundary | null {
  return (
    plan.boundaries.find(({ job: index, after }) => index === job.index && after?.index === step.index) ??
    null
  );
}

function reasonOf(signal: AbortSignal): string {
  return signal.reason instanceof Error ? signal.reason.message : String(signal.reason);
}
