import {
  BuildAreaError,
  BuildAreaLock,
  BuildLog,
  openBuildArea,
  type BuildArea,
  type FoundArea,
  type LinePiece,
} from '#libs/build-area';
import { CopyOutputs } from '#libs/artifacts';
import { runPlan, type BuildEvent, type BuildRequest, type BuildResult, type StepRunner } from '#libs/engine';
import {
  chooseStart,
  type HeldBoundary,
  type Job,
  type PlannedStep,
  type StartDecision,
  type StartRequest,
} from '#libs/plan';
import {
  answerFromManifest,
  ScriptRunner,
  ownVariables,
  sourceDateEpoch,
  spaceFloor,
  SpaceWatch,
  stepEnvironment,
} from '#libs/steps';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildCommandLine } from './command-line.js';
import { EXIT, type ExitStatus } from './exit-status.js';
import { askFingerprint } from './key-world.js';
import type { LoadedBuild } from './load-build.js';
import { LocalReuse } from './local-reuse.js';
import type { MediaFile, Progress } from './progress.js';
import { resumableState } from './resumable-state.js';
import { lookAround, type ReuseSite } from './reuse-site.js';
import { describeChange, describePassedOver, describeRefusal, describeResult } from './wording.js';

export interface BuildCommand {
  readonly command: BuildCommandLine;
  readonly loaded: LoadedBuild;
  readonly found: FoundArea;
  readonly start: StartRequest;
  readonly progress: Progress;
  /** For refusals before the build has started. */
  readonly complain: (text: string) => void;
  readonly binFolder: string;
  readonly signal: AbortSignal;
}

/** Runs a build in its area, and says how to exit. */
export async function buildCommand(build: BuildCommand): Promise<ExitStatus> {
  const { loaded, found } = build;
  // Asked twice: here, so that a refusal touches nothing, and again when nobody else can change the answer.
  const early = chooseStart(loaded.plan, await resumableState(loaded.plan, found), build.start);
  if (early.kind === 'refused') return refuse(build, early);
  const area = await openBuildArea(found);
  const lock = BuildAreaLock.take(area.path, `distro_const build ${build.command.manifest}`);
  try {
    const decision = chooseStart(loaded.plan, await resumableState(loaded.plan, found), build.start);
    if (decision.kind === 'refused') return refuse(build, decision);
    const site = build.command.reuse ? await siteOf(build, area) : null;
    if (typeof site === 'string') {
      build.complain(`${site}.\nNothing was run: without it nobody can say what may be reused.`);
      return build.signal.aborted ? EXIT.interruptedBy(build.signal.reason) : EXIT.failed;
    }
    return await runBuild({ ...build, area, site, decision });
  } finally {
    lock.release();
  }
}

async function siteOf(build: BuildCommand, area: BuildArea): Promise<ReuseSite | string> {
  const { loaded, command, binFolder, signal } = build;
  const { manifest: manifestFile, cache } = command;
  await makeCache(cache);
  return await lookAround({ loaded, manifestFile, areaPath: area.path, cache, binFolder, signal });
}

function refuse(
  { command, complain }: BuildCommand,
  decision: StartDecision & { kind: 'refused' },
): ExitStatus {
  complain(describeRefusal(decision.refusal, command.manifest));
  return decision.refusal.kind === 'pause-not-later' ? EXIT.usage : EXIT.failed;
}

/** A build whose area is ours. */
interface StartedBuild extends BuildCommand {
  readonly area: BuildArea;
  readonly decision: Exclude<StartDecision, { kind: 'refused' }>;
  /** `null`: it reuses nothing. */
  readonly site: ReuseSite | null;
}

async function runBuild(build: StartedBuild): Promise<ExitStatus> {
  const { loaded, progress, command, signal, area } = build;
  const log = BuildLog.open(area.logsPath);
  try {
    const id = buildId(new Date());
    progress.started({
      build: id,
      distribution: loaded.manifest.name,
      steps: loaded.plan.steps.length,
      dataset: area.dataset,
      path: area.path,
      store: loaded.manifest.checkpointing ? area.store.description : 'none (checkpoint_enable is false)',
      simpleLog: log.simplePath,
      detailLog: log.detailPath,
      startedAt: new Date(),
    });
    log.note('-', `Build ${id} of ${loaded.manifest.name} started`);
    for (const warning of warnings(build)) {
      progress.warning(warning);
      log.note('-', `Warning: ${warning}`);
    }
    const result = await runLogged(build, log, id);
    const text = describeResult(result, command.manifest, command.reuse ? '--reuse' : '-R');
    log.note('-', `Build ${result.kind}. ${text}`);
    progress.ended(
      result,
      text,
      result.kind === 'finished' ? await mediaFiles(area.mediaPath) : [],
      new Date(),
    );
    return exitStatus(result, signal);
  } finally {
    log.close();
  }
}

function warnings({ loaded, command, area, decision, site }: StartedBuild): readonly string[] {
  const change = decision.kind === 'resume' ? describeChange(decision.change, command.manifest) : null;
  const notes = loaded.manifest.notes.map(({ path, found, expected }) => `${path}: ${found}; ${expected}`);
  return [...area.notes, ...notes, ...(site?.notes ?? []), ...(change === null ? [] : [change])];
}

async function runLogged(build: StartedBuild, log: BuildLog, id: string): Promise<BuildResult> {
  const { loaded, progress, signal, area, decision } = build;
  const show: ShowPieces = (step, pieces) => {
    for (const { bytes } of pieces) progress.line(step, Buffer.from(bytes).toString());
  };
  const resumeFrom = decision.kind === 'resume' ? decision.chain : [];
  const reuse = await openReuse(build, log, id, resumeFrom);
  const request: BuildRequest = {
    build: id,
    resumeFrom,
    pausesBefore: (step: PlannedStep) => step.index === build.start.pauseBefore?.index,
    checkpoints: loaded.manifest.checkpointing,
    stopOnError: loaded.manifest.stopOnError,
    ...(reuse === null
      ? {}
      : {
          keys: reuse.keys,
          furthestAtHand: async (job: Job) => await reuse.furthestAtHand(job),
        }),
  };
  const runner = await stepRunner(build, log, show);
  const ports = {
    store: area.store,
    runner: reuse?.watch(runner) ?? runner,
    outputs: new CopyOutputs(),
    now: () => new Date(),
    report: (event: BuildEvent) => {
      if (event.type === 'step-ended') show(event.step, log.endOfStep(event.step.name));
      reuse?.see(event);
      logEvent(log, event);
      progress.event(event);
    },
  };
  return await runPlan(loaded.plan, request, ports, signal);
}

/** `null`: the build reuses nothing. */
async function openReuse(
  { loaded, command, area, site, start, progress }: StartedBuild,
  log: BuildLog,
  build: string,
  resumeFrom: readonly HeldBoundary[],
): Promise<LocalReuse | null> {
  if (site === null) return null;
  const reuse = new LocalReuse({
    build,
    variant: command.variant ?? '',
    manifest: loaded.manifest,
    plan: loaded.plan,
    world: site.world,
    store: area.store,
    record: site.record,
    mediaPath: area.mediaPath,
    pauseBefore: start.pauseBefore,
    resumeFrom,
    fingerprintOf: async (step) => await askFingerprint(step, site.here),
    note: (text) => log.note('-', text),
    warn: (text) => {
      progress.warning(text);
      log.note('-', `Warning: ${text}`);
    },
  });
  await reuse.begin();
  return reuse;
}

/** Shows what a script wrote to stderr. */
type ShowPieces = (step: PlannedStep, pieces: readonly LinePiece[]) => void;

async function stepRunner(build: StartedBuild, log: BuildLog, show: ShowPieces): Promise<StepRunner> {
  const { loaded, command, area } = build;
  await makeCache(command.cache);
  const runner = new ScriptRunner({
    answerFor: (step) => answerFromManifest(loaded.manifest, step, (note) => log.note(step.name, note)),
    mediaPath: area.mediaPath,
    variablesOf: (step) => ownVariables(step, loaded.manifest),
    environment:
      build.site?.here.environment ??
      stepEnvironment({
        sourceDateEpoch: sourceDateEpoch(process.env, loaded.manifestChangedAt),
        binFolder: build.binFolder,
        cacheFolder: command.cache,
        caller: process.env,
      }),
    workingFolder: process.cwd(),
    onCommand: (step, argv) => log.detailNote(step.name, `exec ${JSON.stringify(argv)}`),
    onOutput: (step, stream, bytes) => show(step, log.output(step.name, stream, bytes)),
  });
  return new SpaceWatch(runner, {
    space: () => area.store.space(),
    floorBytes: spaceFloor(await area.store.space()),
    maxImageBytes: loaded.manifest.maxImageBytes,
    neededBytes: ({ index }) => Math.max(...loaded.plan.steps.slice(index).map(({ freeBytes }) => freeBytes)),
    alsoWeigh: [area.mediaPath, area.logsPath],
  });
}

async function makeCache(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new BuildAreaError(
      `the cache folder cannot be made: ${(error as Error).message}`,
      'Name another one with --cache.',
    );
  }
}

function logEvent(log: BuildLog, event: BuildEvent): void {
  switch (event.type) {
    case 'step-started':
      return log.note(event.step.name, `==== ${event.step.name}: ${event.step.message}`);
    case 'step-ended':
      return log.note(event.step.name, `${event.step.name} ${JSON.stringify(event.outcome)}`);
    case 'job-reused':
      return log.note('-', describePassedOver(event.job, event.checkpoint));
    case 'resumed':
      return log.note(event.before.name, `resumed from checkpoint ${event.checkpoint.label}`);
    case 'checkpoint-taken':
      return log.detailNote(
        event.boundary.before?.name ?? '-',
        `checkpoint ${event.checkpoint.label} (${event.checkpoint.id})`,
      );
    case 'output-imported':
      return log.note('-', `${event.path} imported from lane ${event.lane}, sha256 ${event.digest}`);
    case 'job-started':
      return log.detailNote('-', `lane ${event.job.lane} in ${event.job.workspace}`);
  }
}

async function mediaFiles(folder: string): Promise<readonly MediaFile[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(folder, entry.name));
  return await Promise.all(files.toSorted().map(async (path) => ({ path, bytes: (await stat(path)).size })));
}

function exitStatus(result: BuildResult, signal: AbortSignal): ExitStatus {
  if (result.kind === 'interrupted') return EXIT.interruptedBy(signal.reason);
  return result.kind === 'finished' || result.kind === 'paused' ? EXIT.ok : EXIT.failed;
}

/** Sortable and unlikely to meet again: `20261123-221500-1f3a9c`. */
function buildId(now: Date): string {
  const stamp = now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${stamp}-${randomBytes(3).toString('hex')}`;
}
