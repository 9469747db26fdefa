import { Injectable } from '@nestjs/common';
import type { Transaction } from 'kysely';
import {
  FarmError,
  MOST_STEPS,
  type AgentId,
  type Holding,
  type PackedTree,
  type Report,
  type ReportEvent,
} from '#libs/contracts';
import {
  advanceReports,
  attemptStepStartedAt,
  dropKeys,
  endAttemptStep,
  findAgent,
  findAttempt,
  findJob,
  findReportedJob,
  hasBlob,
  insertCheckpoint,
  isFurthest,
  jobsOfVariant,
  keepFetchTime,
  keepStepReads,
  lockAttempt,
  lockBuild,
  locksRows,
  keepStepTime,
  putArtifact,
  putOutput,
  resetSteps,
  reuseSteps,
  setAttemptPhase,
  setLogFinalBytes,
  startAttemptStep,
  updateBuild,
  updateJob,
  updateStep,
  type AttemptRow,
  type ReportedJob,
  type Schema,
} from '#libs/store';
import { keysToDrop } from '../decide/drop-keys.js';
import { Work, type Changes } from '../work.js';
import { checkpointOf } from './checkpoint-of.js';
import { EndAttempts } from './end-attempts.js';
import { keepStepsInFront, type ProvenState } from './keep-steps.js';
import { END_OUTPUT } from './make-assignment.js';
import { requireKnownAttempt, staleEpoch, type AttemptClaim } from './own-attempt.js';

/** What a report is about, read once for a batch. */
interface Scene {
  readonly tx: Transaction<Schema>;
  readonly changes: Changes;
  readonly now: number;
  readonly attempt: AttemptRow;
  readonly job: ReportedJob;
  /** When the attempt started the steps that it started in this batch, by index. */
  readonly startedAt: Map<number, number>;
}

/** Writes what an attempt reports into the record, each report exactly once and in order, whatever is sent again. */
@Injectable()
export class TakeReports {
  constructor(
    private readonly work: Work,
    private readonly endings: EndAttempts,
  ) {}

  /** Resolves to the number of the newest report that is kept. Throws STALE_EPOCH when the attempt is no longer the agent's. */
  async take(claim: AttemptClaim, reports: readonly Report[]): Promise<number> {
    const acknowledged = await this.#record(claim, reports);
    const end = reports.find(({ event }) => event.type === 'ended')?.event;
    if (end?.type === 'ended') await this.endings.finishMessage(claim, end.end);
    return acknowledged;
  }

  /** People are shown that an agent reports of an attempt it has lost; nothing else comes of it. */
  async noteStale({ agent, attempt, epoch }: AttemptClaim): Promise<void> {
    await this.work.change(async (tx, changes) => {
      const known = await findAttempt(tx, attempt);
      if (known !== null)
        changes.event(
          'stale-report',
          { build: known.build_id, job: known.job_id, attempt, agent },
          { epoch },
        );
    });
  }

  async #record(claim: AttemptClaim, reports: readonly Report[]): Promise<number> {
    return await this.work.change(async (tx, changes, now) => {
      const known = await requireKnownAttempt(tx, claim);
      // The answer to the last reports may have been lost on its way.
      if (reports.every(({ seq }) => seq <= known.last_seq)) return known.last_seq;
      // Builds before attempts: everybody locks in this order.
      if (reports.some(({ event }) => event.type === 'ended')) await lockBuild(tx, known.build_id);
      const attempt = locksRows(tx) ? await lockAttempt(tx, claim.attempt) : known;
      if (attempt?.state !== 'running') throw staleEpoch(claim.attempt);
      const fresh = reports.filter(({ seq }) => seq > attempt.last_seq);
      const last = fresh.at(-1)?.seq;
      if (last === undefined) return attempt.last_seq;
      requireWithoutHoles(fresh, attempt.last_seq);
      if (!(await advanceReports(tx, attempt.id, attempt.epoch, attempt.last_seq, last))) {
        throw staleEpoch(attempt.id);
      }
      const scene = await readScene(tx, changes, now, attempt);
      for (const report of fresh) await this.#apply(scene, report);
      return last;
    });
  }

  async #apply(scene: Scene, { event, at }: Report): Promise<void> {
    if (event.type !== 'ended') {
      await applyEvent(scene, event, at);
      return;
    }
    await setLogFinalBytes(scene.tx, scene.attempt.id, event.logBytes);
    if (event.end.kind === 'succeeded') await keepSteps(scene, { before: Infinity, checkpoint: null });
    // Only an agent that has come back calls its own attempt lost.
    const agentRestarted = event.end.kind === 'infrastructure' && event.end.fault === 'lost';
    await this.endings.end(scene.tx, scene.changes, scene.attempt, event.end, scene.now, { agentRestarted });
  }
}

function requireWithoutHoles(reports: readonly Report[], after: number): void {
  for (const [position, { seq }] of reports.entries()) {
    if (seq === after + 1 + position) continue;
    throw new FarmError('INVALID', `report ${seq} came where ${after + 1 + position} was expected`);
  }
}

async function readScene(
  tx: Transaction<Schema>,
  changes: Changes,
  now: number,
  attempt: AttemptRow,
): Promise<Scene> {
  const job = await findReportedJob(tx, attempt.job_id);
  if (job === null) throw new RangeError(`attempt ${attempt.id} has no job`);
  return { tx, changes, now, attempt, job, startedAt: new Map() };
}

async function applyEvent(
  scene: Scene,
  event: Exclude<ReportEvent, { type: 'ended' }>,
  at: number,
): Promise<void> {
  const { tx, attempt, changes } = scene;
  switch (event.type) {
    case 'phase':
      await setAttemptPhase(tx, attempt.id, event.phase);
      tell(scene, 'attempt-phase', { phase: event.phase });
      return;
    case 'resumed':
      await keepSteps(scene, event);
      tell(scene, 'resumed', { ...stepData(scene, event.before), checkpoint: event.checkpoint });
      return;
    case 'state-reused':
      await stateReused(scene, event);
      return;
    case 'output-imported':
      tell(scene, 'output-imported', {
        fromLane: event.lane,
        path: event.path,
        treeSha256: event.treeSha256,
      });
      return;
    case 'step-started': {
      await stepStarted(scene, event.step, at);
      return;
    }
    case 'step-ended': {
      await stepEnded(scene, event, at);
      return;
    }
    case 'checkpoint-taken': {
      await checkpointTaken(scene, event);
      return;
    }
    case 'keys-dropped': {
      await keysDropped(scene, event);
      return;
    }
    case 'checkpoint-fetched': {
      await checkpointFetched(scene, event);
      return;
    }
    case 'transfer-progress':
      transferProgress(scene, event);
      return;
    case 'output-published': {
      await keepOutput(scene, event.path, event.tree);
      return;
    }
    case 'end-published': {
      await keepOutput(scene, END_OUTPUT, event.tree);
      return;
    }
    case 'artifact-published': {
      await artifactPublished(scene, event);
      return;
    }
    case 'warning':
      changes.event('warning', aboutAttempt(scene), { ...jobData(scene), text: event.text });
  }
}

async function keepSteps({ tx, attempt, job }: Scene, proven: ProvenState): Promise<void> {
  await keepStepsInFront(tx, attempt, job.variant, proven);
}

/** What is behind the step is not what its keys say: nobody is to take it for equal to anything. */
async function keysDropped(
  scene: Scene,
  { behind, why }: Extract<ReportEvent, { type: 'keys-dropped' }>,
): Promise<void> {
  const { tx, changes, job } = scene;
  const name = requireOwnStep(scene, behind);
  const own = await findJob(tx, job.id);
  if (own === null) throw new RangeError(`there is no job ${job.id}`);
  const jobs = await jobsOfVariant(tx, own.variant_id);
  // Boundaries are in front of steps: that behind the first is the second.
  const position = [...job.steps.keys()].filter((index) => index <= behind).length + 1;
  const dropped = keysToDrop(jobs, { job: own.index, position });
  for (const { id, index } of jobs) {
    const from = dropped.get(index);
    if (from !== undefined) await dropKeys(tx, id, from);
  }
  const text = `${why}; what ${name} made, and the steps behind it, is not reused`;
  changes.event('warning', aboutAttempt(scene), { ...jobData(scene), text });
}

/** The steps in front of it are done, and ran in another build. */
async function stateReused(
  scene: Scene,
  { before, build, checkpoint }: Extract<ReportEvent, { type: 'state-reused' }>,
): Promise<void> {
  await reuseSteps(scene.tx, scene.job.id, build, before ?? MOST_STEPS);
  const data = { fromBuild: build, checkpoint };
  tell(scene, 'state-reused', before === null ? data : { ...stepData(scene, before), ...data });
}

async function stepStarted(scene: Scene, index: number, at: number): Promise<void> {
  const { tx, attempt, job, now } = scene;
  requireOwnStep(scene, index);
  await startAttemptStep(tx, attempt.id, index, at);
  scene.startedAt.set(index, at);
  // Started again from an earlier checkpoint: what came after it is to come again.
  await resetSteps(tx, job.id, index);
  await updateStep(tx, job.id, index, { state: 'running', attempt: attempt.id, startedAt: at });
  if (job.build.startedAt === null) await updateBuild(tx, job.build.id, { started_at: now });
  tell(scene, 'step-started', stepData(scene, index));
}

async function stepEnded(
  scene: Scene,
  { step: index, outcome, asked }: Extract<ReportEvent, { type: 'step-ended' }>,
  at: number,
): Promise<void> {
  const { tx, attempt, job } = scene;
  const step = requireOwnStep(scene, index);
  await endAttemptStep(tx, attempt.id, index, at, outcome);
  const state =
    outcome.kind === 'succeeded' ? 'succeeded' : outcome.kind === 'interrupted' ? 'interrupted' : 'failed';
  await updateStep(tx, job.id, index, { state, attempt: attempt.id, endedAt: at, outcome });
  const startedAt = scene.startedAt.get(index) ?? (await attemptStepStartedAt(tx, attempt.id, index));
  const ms = startedAt === null ? null : Math.max(0, at - startedAt);
  if (state === 'succeeded' && ms !== null) {
    await keepStepTime(tx, { attempt: attempt.id, distribution: job.build.name, step, ms, at });
  }
  if (asked !== undefined) await keepStepReads(tx, { step, ...asked, build: job.build.id, at });
  tell(scene, 'step-ended', { ...stepData(scene, index), outcome, ms });
}

/** False: it was known. It may be another build's, to be gone on from. */
async function keepCheckpoint({ tx, attempt, job, changes }: Scene, holding: Holding): Promise<boolean> {
  const { build } = job;
  const row = checkpointOf(holding);
  if (row === null) throw new FarmError('INVALID', `"${holding.lineage}" is the lineage of no job`);
  if (!(await insertCheckpoint(tx, { ...row, agentId: attempt.agent_id }))) return false;
  if (build.replicas > 0) changes.wantsReplicas = true;
  return true;
}

async function checkpointFetched(
  scene: Scene,
  { holding, from, bytes, ms }: Extract<ReportEvent, { type: 'checkpoint-fetched' }>,
): Promise<void> {
  await keepCheckpoint(scene, holding);
  const store = (await findAgent(scene.tx, scene.attempt.agent_id))?.facts.store.kind;
  const { label, id: checkpoint } = holding;
  const { name: distribution } = scene.job.build;
  if (store !== undefined)
    await keepFetchTime(scene.tx, { store, distribution, label, bytes, ms, at: scene.now });
  tell(scene, 'checkpoint-fetched', { label, checkpoint, from, bytes, ms });
}

function transferProgress(
  scene: Scene,
  {
    label,
    from,
    bytes,
    totalBytes,
    bytesPerSecond,
    earlierBytes,
  }: Extract<ReportEvent, { type: 'transfer-progress' }>,
): void {
  const isKnown = totalBytes !== null && bytesPerSecond > 0;
  const secondsLeft = isKnown ? Math.ceil(Math.max(0, totalBytes - bytes) / bytesPerSecond) : null;
  const earlier = earlierBytes === undefined ? {} : { earlierBytes };
  tell(scene, 'transfer-progress', {
    label,
    from,
    bytes,
    totalBytes,
    bytesPerSecond,
    secondsLeft,
    ...earlier,
  });
}

async function checkpointTaken(
  scene: Scene,
  { before, holding }: Extract<ReportEvent, { type: 'checkpoint-taken' }>,
): Promise<void> {
  const { tx, attempt, job } = scene;
  if (before === null) await updateJob(tx, job.id, { end_checkpoint: holding.id });
  if (!(await keepCheckpoint(scene, holding))) return;
  // A job that gets on may lose as many agents as it has steps.
  if (job.retries > 0 && (await isFurthest(tx, attempt))) await updateJob(tx, job.id, { retries: 0 });
  const data = { label: holding.label, checkpoint: holding.id };
  tell(scene, 'checkpoint-taken', before === null ? data : { ...stepData(scene, before), ...data });
}

async function keepOutput({ tx, attempt, job }: Scene, path: string, tree: PackedTree): Promise<void> {
  for (const { sha256 } of tree.pieces) await requireBlob(tx, sha256);
  await putOutput(tx, { jobId: job.id, path, attemptId: attempt.id, ...tree });
}

async function artifactPublished(
  scene: Scene,
  { name, sha256, bytes }: Extract<ReportEvent, { type: 'artifact-published' }>,
): Promise<void> {
  const { tx, attempt, job, now } = scene;
  await requireBlob(tx, sha256);
  const artifact = { build: job.build.id, variant: job.variant, name, job: job.id, attempt: attempt.id };
  await putArtifact(tx, { ...artifact, sha256, bytes }, now);
  tell(scene, 'artifact-published', { name, sha256, bytes });
}

async function requireBlob(tx: Transaction<Schema>, sha256: string): Promise<void> {
  if (await hasBlob(tx, sha256)) return;
  throw new FarmError('INVALID', `the bytes of ${sha256} were never committed`);
}

/** The step's name. */
function requireOwnStep({ job }: Scene, index: number): string {
  const name = job.steps.get(index);
  if (name === undefined) throw new FarmError('INVALID', `job ${job.id} has no step ${index}`);
  return name;
}

function tell(
  scene: Scene,
  type: Parameters<Changes['event']>[0],
  data: Readonly<Record<string, unknown>>,
): void {
  scene.changes.event(type, aboutAttempt(scene), { ...jobData(scene), ...data });
}

function aboutAttempt({ job, attempt }: Scene) {
  const agent: AgentId = attempt.agent_id;
  return { build: job.build.id, job: job.id, attempt: attempt.id, agent };
}

function jobData({ job }: Scene): Readonly<Record<string, unknown>> {
  return { variant: job.variant, lane: job.lane };
}

function stepData({ job }: Scene, index: number): Readonly<Record<string, unknown>> {
  return { step: job.steps.get(index) ?? String(index), index };
}
