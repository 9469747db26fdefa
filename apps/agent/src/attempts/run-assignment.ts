import type { PieceFile } from '#libs/artifacts';
import type {
  AgentSettings,
  AreaName,
  Assignment,
  AttemptEnd,
  Holding,
  PackedTree,
  ReportEvent,
} from '#libs/contracts';
import {
  OutputError,
  runJob,
  type BuildEvent,
  type JobRequest,
  type BuildResult,
  type Workspace,
} from '#libs/engine';
import {
  findResumableInJob,
  findStep,
  missingCheckpoints,
  type Checkpoint,
  type HeldBoundary,
  type PlannedStep,
} from '#libs/plan';
import {
  answerFromManifest,
  AskedReads,
  ownVariables,
  ScriptRunner,
  spaceFloor,
  SpaceWatch,
  stepEnvironment,
} from '#libs/steps';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AreaDesk, EnteredArea } from '../areas/area-desk.js';
import type { AttemptControl } from './attempt.js';
import { endOfError, endOfRun, endOfStop } from './attempt-end.js';
import { AttemptKeys } from './attempt-keys.js';
import type { AttemptLog } from './attempt-log.js';
import { baseCheckpoint, heldBase } from './base-checkpoint.js';
import type { BlobCache, BlobUse } from '../blobs/blob-cache.js';
import type { Bundles } from './bundles.js';
import { fetchCheckpoint, type Receiving } from '../transfers/checkpoint-fetcher.js';
import type { CoordinatorLink } from '../link/coordinator-link.js';
import { bringForeign, heldElsewhereHere } from './foreign-states.js';
import { FetchedOutputs } from './fetched-outputs.js';
import type { LateCopies } from '../replicas/late-copies.js';
import { loadAssignment, type LoadedAssignment } from './load-assignment.js';
import { holdingOf, logEvent, reportOf } from './note-event.js';
import type { Peers } from '../transfers/peers.js';
import { persistently } from '../link/persistently.js';
import { ArtifactUploads } from './publish-artifacts.js';
import { publishTrees } from './publish-trees.js';
import { reuseState } from './reuse-state.js';
import { Room } from './room.js';
import { ReplicaWait } from '../replicas/replica-wait.js';

/**
 * In the workspace, so that a checkpoint has with the rest what earlier steps of the job wrote to their media folder: wherever the job goes on, it is there.
 */
export const MEDIA_FOLDER = 'media';

/** What attempts share on one agent. */
export interface Workshop {
  readonly link: CoordinatorLink;
  readonly peers: Peers;
  readonly desk: AreaDesk;
  readonly lateCopies: LateCopies;
  readonly blobs: BlobCache;
  readonly bundles: Bundles;
  readonly settings: () => AgentSettings;
  /** Resolves when the area is gone, or stays for now. */
  readonly drop: (area: AreaName) => Promise<void>;
  /** Folder of ManifestRead. */
  readonly binFolder: string;
  readonly cacheFolder: string;
  /** Of this process: proxies are passed on to steps. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** One attempt's own. */
export interface RunningAttempt {
  readonly assignment: Assignment;
  readonly control: AttemptControl;
  readonly log: AttemptLog;
  /** Does nothing once the attempt is another's. */
  readonly report: (event: ReportEvent) => void;
}

/**
 * The life of an attempt, from the assignment to its end: fetch what it needs, run the job's steps by the engine's loop, publish what it made. Resolves to how it
 * ended; `null`: it is another's by now, and nothing more is said of it. Whatever happens, no process and no mount of it is left, and all checkpoints stay.
 */
export async function runAssignment(attempt: RunningAttempt, workshop: Workshop): Promise<AttemptEnd | null> {
  const { assignment, control } = attempt;
  const inputs = openInputs(attempt, workshop);
  const copies = openWait(attempt, workshop);
  let area: EnteredArea | null = null;
  let loaded: LoadedAssignment | null = null;
  try {
    attempt.report({ type: 'phase', phase: 'fetching' });
    const bundle = await workshop.bundles.open(assignment, inputs.get);
    loaded = await loadAssignment(assignment, bundle, join(bundle, assignment.manifestPath));
    for (const { tree } of assignment.imports) await fetchPieces(inputs, tree);
    area = await workshop.desk.enter(assignment.area, loaded.job.workspace);
    const work = await prepareWork(attempt, workshop, loaded, area, inputs, copies);
    attempt.report({ type: 'phase', phase: 'running' });
    const result = await runSteps(work);
    if (result.kind === 'paused') return work.halt;
    if (result.kind !== 'finished') {
      const end = endOfRun(result, loaded.job, control.stopped);
      if (end?.kind === 'failed') await publishEvidence(work, end.step);
      return end;
    }
    // Other jobs go on from its end.
    await copies?.pass();
    attempt.report({ type: 'phase', phase: 'publishing' });
    await publish(work);
    return { kind: 'succeeded' };
  } catch (error) {
    const stopped = control.stopped;
    return stopped === null ? endOfError(error, stepToBlame(error, loaded)) : endOfStop(stopped, null);
  } finally {
    inputs.close();
    copies?.end();
    await area?.leave();
  }
}

/** The step that declared an output that cannot be published. */
function stepToBlame(error: unknown, loaded: LoadedAssignment | null): number | null {
  if (!(error instanceof OutputError)) return null;
  return loaded?.plan.steps.find(({ outputs }) => outputs.includes(error.path))?.index ?? null;
}

async function fetchPieces(inputs: BlobUse, { pieces }: PackedTree): Promise<readonly PieceFile[]> {
  const files: PieceFile[] = [];
  for (const piece of pieces) files.push({ path: await inputs.get(piece), sha256: piece.sha256 });
  return files;
}

/** Inputs are fetched for as long as the attempt lives. */
function openInputs({ control }: RunningAttempt, { link, blobs }: Workshop): BlobUse {
  const { key, signal } = control;
  return blobs.use(
    async (sha256, offset) => await link.blob(key, sha256, offset, signal),
    async (call) => await persistently(call, signal),
    signal,
  );
}

/** `null`: nobody wants copies. */
function openWait(
  { assignment, control, log, report }: RunningAttempt,
  workshop: Workshop,
): ReplicaWait | null {
  const { area, copies: mode } = assignment;
  if (mode === undefined) return null;
  return new ReplicaWait({
    area,
    mode,
    late: workshop.lateCopies,
    ask: async (checkpoint, signal) => await workshop.link.askCopies(control.key, { checkpoint }, signal),
    isCalledOff: () => control.pausesNow || control.handOver !== null,
    note: (text) => log.note('-', text),
    warn: (text) => {
      log.note('-', `Warning: ${text}`);
      report({ type: 'warning', text });
    },
    signal: control.signal,
  });
}

/** What the job's steps work with. */
interface Work {
  readonly attempt: RunningAttempt;
  readonly workshop: Workshop;
  readonly loaded: LoadedAssignment;
  readonly area: EnteredArea;
  readonly inputs: BlobUse;
  readonly chain: readonly HeldBoundary[];
  readonly mediaPath: string;
  readonly artifacts: ArtifactUploads;
  readonly copies: ReplicaWait | null;
  readonly room: Room;
  /** Why the job stopped at a boundary, once it has. */
  halt: Halt | null;
}

type Halt = Extract<AttemptEnd, { kind: 'paused' | 'handed-over' }>;

async function prepareWork(
  attempt: RunningAttempt,
  workshop: Workshop,
  loaded: LoadedAssignment,
  area: EnteredArea,
  inputs: BlobUse,
  copies: ReplicaWait | null,
): Promise<Work> {
  const { assignment, control, log } = attempt;
  const { job } = loaded;
  const room = openRoom(attempt, workshop, area);
  const chain = await room.trying(async () => {
    await fetchMissing(attempt, workshop, loaded, area);
    return await reuseState(await heldChain(attempt, loaded, area), {
      assignment,
      loaded,
      area,
      bring: async (reusable) =>
        await bringForeign(
          workshop.desk,
          reusable,
          assignment,
          async (into, wanted, base) =>
            await fetchNoted(attempt, workshop, into, reusable.area, wanted, base),
        ),
      note: (text) => log.note('-', text),
      report: attempt.report,
    });
  });
  // The coordinator refuses what comes of an attempt that it has given up, so it may know nothing of what that one left here.
  for (const { boundary, checkpoint } of chain) {
    const told = reportOf({ type: 'checkpoint-taken', boundary, checkpoint });
    if (told !== null) attempt.report(told);
  }
  const mediaPath = join(area.path, job.workspace, MEDIA_FOLDER);
  await mkdir(workshop.cacheFolder, { recursive: true, mode: 0o755 });
  const artifacts = new ArtifactUploads({
    link: workshop.link,
    key: control.key,
    mediaPath,
    chunkBytes: () => workshop.settings().uploadChunkBytes,
    signal: control.signal,
    warn: (text) => {
      log.note('-', `Warning: ${text}`);
      attempt.report({ type: 'warning', text });
    },
  });
  return { attempt, workshop, loaded, area, inputs, chain, mediaPath, artifacts, copies, room, halt: null };
}

/** The job's checkpoints here, from its first on. */
async function heldChain(
  { assignment }: RunningAttempt,
  { plan, job }: LoadedAssignment,
  { store }: EnteredArea,
): Promise<readonly HeldBoundary[]> {
  return findResumableInJob(plan, job, await store.list(job.workspace), assignment).held;
}

function openRoom(
  { control, log, report }: RunningAttempt,
  { link, drop }: Workshop,
  { store }: EnteredArea,
): Room {
  const { key, signal } = control;
  return new Room({
    ask: async (body) => await persistently(async () => await link.askRoom(key, body, signal), signal),
    drop,
    space: () => store.space(),
    note: (text) => log.note('-', text),
    warn: (text) => {
      log.note('-', `Warning: ${text}`);
      report({ type: 'warning', text });
    },
  });
}

/** Brings in what other agents hold beyond what is here. What cannot be had is done without: the job then goes on from an earlier state, or its start. */
async function fetchMissing(
  attempt: RunningAttempt,
  workshop: Workshop,
  { plan, job }: LoadedAssignment,
  area: EnteredArea,
): Promise<void> {
  const { assignment, log, report } = attempt;
  const own = await area.store.list(job.workspace);
  const known = new Map(own.map((checkpoint) => [checkpoint.id, checkpoint]));
  for (const wanted of missingCheckpoints(plan, job, own, assignment.elsewhere, assignment)) {
    // What began with a state taken over has nothing in common with the job's base.
    const begins = plan.boundaries.find(({ job: of }) => of === job.index)?.label === wanted.label;
    const base = begins ? await heldBase(area.store, assignment.base) : known.get(wanted.previous);
    const checkpoint = await fetchNoted(attempt, workshop, area, assignment.area, wanted, base ?? null);
    if (checkpoint === null) {
      const text = `nobody can send the checkpoint ${wanted.label} any more: going on from an earlier state`;
      log.note('-', `Warning: ${text}`);
      report({ type: 'warning', text });
      return;
    }
    known.set(checkpoint.id, checkpoint);
  }
}

/** `null`: nobody can send it. */
async function fetchNoted(
  { control, log, report }: RunningAttempt,
  { link, peers }: Workshop,
  area: Receiving,
  name: AreaName,
  wanted: Holding,
  base: Checkpoint | null,
): Promise<Checkpoint | null> {
  const fetched = await fetchCheckpoint(area, name, wanted, base, {
    link,
    credentials: () => peers.credentials,
    onProgress: (progress) => report({ type: 'transfer-progress', label: wanted.label, ...progress }),
    onFailure: (error) => log.note('-', `checkpoint ${wanted.label}: ${error.message}`),
    signal: control.signal,
  });
  if (fetched === null) return null;
  const { checkpoint, from, bytes, ms } = fetched;
  log.note('-', `checkpoint ${wanted.label} from agent ${from}: ${bytes} bytes in ${ms} ms`);
  const holding = holdingOf(checkpoint);
  if (holding !== null) report({ type: 'checkpoint-fetched', holding, from, bytes, ms });
  return checkpoint;
}

/** Where the store gets full and room can be made, the job goes on from its newest checkpoint. */
async function runSteps(work: Work): Promise<BuildResult> {
  const asked = new AskedReads();
  const runner = await stepRunner(work, asked);
  const keys = new AttemptKeys(work.attempt, work.loaded, work.chain);
  for (let { chain } = work; ; chain = await heldChain(work.attempt, work.loaded, work.area)) {
    const result = await runFrom(chain, { runner, keys, asked }, work);
    if (!(await isWorthAnotherTry(result, runner, work))) return result;
  }
}

async function isWorthAnotherTry(
  result: BuildResult,
  { freeBefore, isOverLimit }: SpaceWatch,
  { attempt: { control }, loaded: { job }, area, room }: Work,
): Promise<boolean> {
  if (result.kind === 'finished' || result.kind === 'paused' || isOverLimit) return false;
  const end = endOfRun(result, job, control.stopped);
  if (end?.kind !== 'infrastructure' || end.fault !== 'no-space') return false;
  return await room.isWorthAnotherTry(freeBefore ?? (await area.store.space()).freeBytes, end.reason);
}

/** What stays when the job goes on from its newest checkpoint. */
interface Running {
  readonly runner: SpaceWatch;
  readonly keys: AttemptKeys;
  readonly asked: AskedReads;
}

async function runFrom(
  chain: readonly HeldBoundary[],
  { runner, keys, asked }: Running,
  work: Work,
): Promise<BuildResult> {
  const { attempt, area, inputs, artifacts } = work;
  const { plan, job } = work.loaded;
  const { assignment, control, log } = attempt;
  const fetch = async (tree: PackedTree): Promise<readonly PieceFile[]> => await fetchPieces(inputs, tree);
  const lookInto = async (name: AreaName, workspace: string): Promise<readonly Checkpoint[]> =>
    await heldElsewhereHere(work.workshop.desk, name, workspace);
  const base =
    assignment.base === null || chain.length > 0
      ? null
      : await baseCheckpoint(assignment.base, plan, job, area, lookInto, fetch, control.signal);
  const request: JobRequest = {
    build: assignment.lineage,
    keys: keys.byBoundary,
    resumeFrom: chain,
    base: base?.checkpoint ?? null,
    startFromBase: async (checkpoint: Checkpoint, workspace: string) =>
      base?.from == null
        ? await area.store.startFrom(checkpoint, workspace)
        : await area.fork({ area: base.from, checkpoint }, workspace),
    checkpoints: true,
    stopOnError: true,
    // Media of the job that this one goes on from are that one's to publish.
    begin: async ({ path }: Workspace) => await makeEmpty(join(path, MEDIA_FOLDER)),
    pausesBefore: async (step: PlannedStep) => await stopsBefore(work, runner, step),
  };
  const report = (event: BuildEvent): void => {
    logEvent(log, event);
    work.copies?.see(event);
    const told = reportOf(event);
    if (told !== null)
      attempt.report(event.type === 'step-ended' ? withReads(told, event.step, asked) : told);
    if (event.type === 'step-ended' && event.outcome.kind === 'succeeded') artifacts.lookAgain();
  };
  const ports = {
    store: area.store,
    runner: keys.watch(runner, work.workshop),
    outputs: new FetchedOutputs(assignment.imports, fetch, control.signal),
    report,
    now: () => new Date(),
  };
  return await runJob(plan, job, request, ports, control.signal);
}

async function makeEmpty(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  await chmod(folder, 0o755);
}

/** Whether it halts is asked again when it was held up. */
async function stopsBefore(work: Work, watch: SpaceWatch, step: PlannedStep): Promise<boolean> {
  work.halt = await haltBefore(work, watch, step);
  if (work.halt === null && work.copies !== null) {
    await work.copies.pass();
    work.halt = await haltBefore(work, watch, step);
  }
  return work.halt !== null;
}

/** A person's pause goes before everything else; what only has to leave this agent goes on elsewhere. */
async function haltBefore(work: Work, watch: SpaceWatch, step: PlannedStep): Promise<Halt | null> {
  const { control, log } = work.attempt;
  if (control.pausesNow || isPausedBefore(work, step)) return { kind: 'paused', before: step.index };
  const asked = control.handOver;
  const reason = asked ?? (await shortageOf(work, watch, step));
  if (reason === null) return null;
  log.note(step.name, `handed over in front of ${step.name}: ${reason}`);
  return { kind: 'handed-over', before: step.index, cause: asked === null ? 'no-space' : 'asked', reason };
}

/** What is missing for the step, when no more room can be made. */
async function shortageOf({ room }: Work, watch: SpaceWatch, step: PlannedStep): Promise<string | null> {
  const missing = await watch.shortage(step);
  return missing !== null && (await room.reach(watch.neededBytes(step)))
    ? await watch.shortage(step)
    : missing;
}

/** "No step from this one on": a pause that is asked for too late still holds at the next boundary. */
function isPausedBefore({ attempt, loaded }: Work, step: PlannedStep): boolean {
  const name = attempt.control.pauseBefore;
  const pause = name === null ? null : findStep(loaded.plan, name);
  return pause !== null && step.index >= pause.index;
}

/** The end of a step, with what its script asked for. */
function withReads(ended: ReportEvent, step: PlannedStep, asked: AskedReads): ReportEvent {
  if (ended.type !== 'step-ended' || step.scriptDigest === '') return ended;
  return { ...ended, asked: { script: step.scriptDigest, nodepaths: [...asked.of(step)] } };
}

async function stepRunner(
  { attempt, workshop, loaded, area, mediaPath }: Work,
  asked: AskedReads,
): Promise<SpaceWatch> {
  const { manifest, job } = loaded;
  const { log, assignment } = attempt;
  const runner = new ScriptRunner({
    answerFor: (step) =>
      answerFromManifest(
        manifest,
        step,
        (note) => log.note(step.name, note),
        (nodepath) => asked.see(step, nodepath),
      ),
    mediaPath,
    variablesOf: (step) => ownVariables(step, manifest),
    environment: stepEnvironment({
      sourceDateEpoch: assignment.sourceDateEpoch,
      binFolder: workshop.binFolder,
      cacheFolder: workshop.cacheFolder,
      caller: workshop.environment,
    }),
    workingFolder: '/',
    onCommand: (step, argv) => log.note(step.name, `exec ${JSON.stringify(argv)}`),
    onOutput: (step, stream, bytes) => log.output(step.name, stream, bytes),
  });
  return new SpaceWatch(runner, {
    space: () => area.store.space(),
    floorBytes: spaceFloor(await area.store.space()),
    maxImageBytes: manifest.maxImageBytes,
    neededBytes: ({ index }) =>
      Math.max(...job.steps.filter((step) => step.index >= index).map(({ freeBytes }) => freeBytes)),
    alsoWeigh: [],
  });
}

/** What the step that failed left in the folder of the media that has its name. */
async function publishEvidence({ attempt, loaded, artifacts }: Work, failed: number): Promise<void> {
  const name = loaded.plan.steps.find(({ index }) => index === failed)?.name;
  if (name === undefined) return;
  try {
    for (const event of await artifacts.finish(name)) attempt.report(event);
  } catch (error) {
    // The step's verdict stands, with or without.
    attempt.log.note(name, `Warning: what ${name} left cannot be published: ${(error as Error).message}`);
  }
}

/** All of it is with the coordinator before any of it is reported. */
async function publish({ attempt, workshop, loaded, area, inputs, artifacts }: Work): Promise<void> {
  const { plan, job } = loaded;
  const { assignment, control } = attempt;
  const published = [
    ...(await artifacts.finish()),
    ...(await publishTrees(plan, job, assignment.publishEnd, {
      link: workshop.link,
      key: control.key,
      workspace: { name: job.workspace, path: join(area.path, job.workspace) },
      blobs: inputs,
      chunkBytes: workshop.settings().uploadChunkBytes,
      signal: control.signal,
    })),
  ];
  for (const event of published) attempt.report(event);
}
