import { createHash } from 'node:crypto';
import { manifestContent, type Manifest, type ManifestStep } from '#libs/manifest';
import type { Boundary, Job, JobBase, OutputImport, Plan, PlannedStep } from './plan.js';

/** What was found on disk for one step's script. */
export interface ScriptSource {
  /** Absolute path. */
  readonly path: string;
  /** SHA-256 of the script's bytes, hex. */
  readonly digest: string;
  /** From its `# farm:reads:` lines; `null` without any. */
  readonly reads: readonly string[] | null;
  /** From its `# farm:environment:` lines. */
  readonly environment: readonly string[];
}

export const MAIN_LANE = 'main';

/** Name of the workspace a lane works in; `build_data` is the one of distro_const. */
function workspaceOfLane(lane: string): string {
  return lane === MAIN_LANE ? 'build_data' : `build_data.${lane}`;
}

export interface PlanOptions {
  /** Also behind the last step of a job that no other job starts from: where nothing has changed, that state is gone back to. */
  readonly everyEnd?: boolean;
}

/**
 * Cuts the manifest's steps into jobs and boundaries. A job is a run of steps that follow each other in the document and share
 * a lane, so the order of jobs is the order of the document.
 *
 * @param scripts one per step, same order
 */
export function planBuild(
  manifest: Manifest,
  manifestText: string,
  scripts: readonly ScriptSource[],
  { everyEnd = false }: PlanOptions = {},
): Plan {
  const steps = manifest.steps.map((step, index) => planStep(step, scripts[index]));
  const runs = consecutiveRuns(steps);
  const jobs: Job[] = [];
  const boundaries: Boundary[] = [];
  for (const [index, run] of runs.entries()) {
    const job = planJob(index, run, runs, jobs, boundaries);
    jobs.push(job);
    const withEnd = everyEnd || endIsNeeded(job, runs);
    boundaries.push(...boundariesOf(job, withEnd, boundaries.length));
  }
  return {
    distribution: manifest.name,
    steps,
    jobs,
    boundaries,
    digests: { file: sha256(manifestText), content: sha256(manifestContent(manifest)) },
  };
}

function planStep(step: ManifestStep, source: ScriptSource | undefined): PlannedStep {
  if (source === undefined) throw new RangeError(`no script source for step "${step.name}"`);
  return {
    index: step.index,
    name: step.name,
    message: step.message,
    lane: step.lane,
    script: source.path,
    scriptDigest: source.digest,
    args: step.args,
    argsDigest: sha256(JSON.stringify(step.args)),
    outputs: step.outputs,
    reads: step.reads ?? source.reads,
    environment: source.environment,
    timeoutSeconds: step.timeoutSeconds,
    silenceSeconds: step.silenceSeconds,
    freeBytes: step.requires.freeBytes,
  };
}

type Run = readonly [PlannedStep, ...PlannedStep[]];

function consecutiveRuns(steps: readonly PlannedStep[]): readonly Run[] {
  const runs: [PlannedStep, ...PlannedStep[]][] = [];
  for (const step of steps) {
    const current = runs.at(-1);
    if (current?.[0].lane === step.lane) current.push(step);
    else runs.push([step]);
  }
  return runs;
}

function planJob(
  index: number,
  run: Run,
  runs: readonly Run[],
  earlier: readonly Job[],
  boundaries: readonly Boundary[],
): Job {
  const lane = run[0].lane;
  return {
    index,
    lane,
    workspace: workspaceOfLane(lane),
    steps: run,
    base: baseOf(lane, earlier, boundaries),
    imports: lane === MAIN_LANE ? joiningAt(index, runs) : [],
  };
}

function baseOf(lane: string, earlier: readonly Job[], boundaries: readonly Boundary[]): JobBase {
  const own = earlier.findLast((job) => job.lane === lane);
  if (own !== undefined) return { kind: 'continue', boundary: endOf(own, boundaries) };
  const main = earlier.findLast((job) => job.lane === MAIN_LANE);
  return main === undefined ? { kind: 'empty' } : { kind: 'fork', boundary: endOf(main, boundaries) };
}

/** The lanes that ended since main last ran join in front of main's next step; later ones wait for a later job. */
function joiningAt(index: number, runs: readonly Run[]): readonly OutputImport[] {
  const previousMain = runs.findLastIndex((run, i) => i < index && run[0].lane === MAIN_LANE);
  const ended = new Set(runs.slice(previousMain + 1, index).map((run) => run[0].lane));
  for (const run of runs.slice(index)) ended.delete(run[0].lane);
  return [...ended].flatMap((lane) => importsFrom(lane, runs));
}

function importsFrom(lane: string, runs: readonly Run[]): readonly OutputImport[] {
  const steps = runs.filter((run) => run[0].lane === lane).flat();
  const paths = new Set(steps.flatMap((step) => step.outputs).filter((path) => !path.startsWith('media/')));
  return [...paths].map((path) => ({ lane, workspace: workspaceOfLane(lane), path }));
}

function boundariesOf(job: Job, withEnd: boolean, firstIndex: number): readonly Boundary[] {
  const { index: ofJob, workspace } = job;
  const inFront = job.steps.map((step, i) => ({
    job: ofJob,
    workspace,
    index: firstIndex + i,
    label: `.step_${step.name}`,
    before: step,
    after: job.steps[i - 1] ?? null,
  }));
  const last = job.steps.at(-1);
  if (last === undefined || !withEnd) return inFront;
  const end = {
    job: ofJob,
    workspace,
    index: firstIndex + inFront.length,
    label: `.end_${last.name}`,
    before: null,
    after: last,
  };
  return [...inFront, end];
}

/** Does a later job continue this lane, fork from it (main), or import from it (a side lane in front of main)? */
function endIsNeeded(job: Job, runs: readonly Run[]): boolean {
  const later = runs.slice(job.index + 1);
  if (later.some((run) => run[0].lane === job.lane)) return true;
  return job.lane === MAIN_LANE ? later.length > 0 : later.some((run) => run[0].lane === MAIN_LANE);
}

function endOf(job: Job, boundaries: readonly Boundary[]): Boundary {
  const end = boundaries.find((boundary) => boundary.job === job.index && boundary.before === null);
  if (end === undefined) throw new RangeError(`job ${job.index} has no end boundary`);
  return end;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
