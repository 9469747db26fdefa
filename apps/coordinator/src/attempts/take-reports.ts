import { Injectable } from '@nestjs/common';
import type { Transaction } from 'kysely';
import { FarmError, type AgentId, type Holding, type Report, type ReportEvent } from '#libs/contracts';
import {
  advanceReports,
  attemptStepsOf,
  endAttemptStep,
  findAttempt,
  findBuild,
  findJob,
  hasBlob,
  insertCheckpoint,
  isFurthest,
  lockAttempt,
  lockBuild,
  locksRows,
  keepStepTime,
  putArtifact,
  putOutput,
  resetSteps,
  setAttemptPhase,
  setLogFinalBytes,
  startAttemptStep,
  stepsOfJob,
  updateBuild,
  updateJob,
  updateStep,
  variantName,
  type AttemptRow,
  type BuildRow,
  type JobRow,
  type Schema,
  type StepRow,
} from '#libs/store';
import { Work, type Changes } from '../work.js';
import { EndAttempts } from './end-attempts.js';
import { END_OUTPUT } from './make-assignment.js';
import { requireKnownAttempt, staleEpoch, type AttemptClaim } from './own-attempt.js';

/** What a report is about, read once for a batch. */
interface Scene {
  readonly tx: Transaction<Schema>;
  readonly changes: Changes;
  readonly now: number;
  readonly attempt: AttemptRow;
  readonly job: JobRow;
  readonly build: BuildRow;
  readonly variant: string;
  readonly steps: readonly StepRow[];
  /** When this attempt started its steps, by index; those of this batch too. */
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
  const job = await findJob(tx, attempt.job_id);
  const build = await findBuild(tx, attempt.build_id);
  if (job === null || build === null) throw new RangeError(`attempt ${attempt.id} has no job`);
  const variant = (await variantName(tx, job.variant_id)) ?? '';
  const startedAt = new Map(
    (await attemptStepsOf(tx, attempt.id)).map(({ index, started_at }) => [index, started_at]),
  );
  return { tx, changes, now, attempt, job, build, variant, steps: await stepsOfJob(tx, job.id), startedAt };
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
      tell(scene, 'resumed', { ...stepData(scene, event.before), checkpoint: event.checkpoint });
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
    case 'checkpoint-fetched': {
      await checkpointFetched(scene, event);
      return;
    }
    case 'transfer-progress':
      tell(scene, 'transfer-progress', { label: event.label, from: event.from, bytes: event.bytes });
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

async function stepStarted(scene: Scene, index: number, at: number): Promise<void> {
  const { tx, attempt, job, build, now } = scene;
  requireOwnStep(scene, index);
  await startAttemptStep(tx, attempt.id, index, at);
  scene.startedAt.set(index, at);
  // Started again from an earlier checkpoint: what came after it is to come again.
  await resetSteps(tx, job.id, index);
  await updateStep(tx, job.id, index, { state: 'running', attempt: attempt.id, startedAt: at });
  if (build.started_at === null) await updateBuild(tx, build.id, { started_at: now });
  tell(scene, 'step-started', stepData(scene, index));
}

async function stepEnded(
  scene: Scene,
  { step: index, outcome }: Extract<ReportEvent, { type: 'step-ended' }>,
  at: number,
): Promise<void> {
  const { tx, attempt, job, build } = scene;
  const step = requireOwnStep(scene, index);
  await endAttemptStep(tx, attempt.id, index, at, outcome);
  const state =
    outcome.kind === 'succeeded' ? 'succeeded' : outcome.kind === 'interrupted' ? 'interrupted' : 'failed';
  await updateStep(tx, job.id, index, { state, attempt: attempt.id, endedAt: at, outcome });
  const startedAt = scene.startedAt.get(index);
  const ms = startedAt === undefined ? null : Math.max(0, at - startedAt);
  if (state === 'succeeded' && ms !== null) {
    await keepStepTime(tx, { attempt: attempt.id, distribution: build.name, step: step.name, ms, at });
  }
  tell(scene, 'step-ended', { ...stepData(scene, index), outcome, ms });
}

async function keepCheckpoint(
  { tx, attempt, build, variant, changes }: Scene,
  holding: Holding,
): Promise<void> {
  await insertCheckpoint(tx, { ...holding, agentId: attempt.agent_id, buildId: build.id, variant });
  if (build.replicas > 0) changes.wantsReplicas = true;
}

async function checkpointFetched(
  scene: Scene,
  { holding, from, bytes, ms }: Extract<ReportEvent, { type: 'checkpoint-fetched' }>,
): Promise<void> {
  await keepCheckpoint(scene, holding);
  const { label, id: checkpoint } = holding;
  tell(scene, 'checkpoint-fetched', { label, checkpoint, from, bytes, ms });
}

async function checkpointTaken(
  scene: Scene,
  { before, holding }: Extract<ReportEvent, { type: 'checkpoint-taken' }>,
): Promise<void> {
  const { tx, attempt, job } = scene;
  await keepCheckpoint(scene, holding);
  // A job that gets on may lose as many agents as it has steps.
  if (job.retries > 0 && (await isFurthest(tx, attempt))) await updateJob(tx, job.id, { retries: 0 });
  const data = { label: holding.label, checkpoint: holding.id };
  tell(scene, 'checkpoint-taken', before === null ? data : { ...stepData(scene, before), ...data });
}

async function keepOutput(
  { tx, attempt, job }: Scene,
  path: string,
  tree: { readonly sha256: string; readonly bytes: number; readonly treeSha256: string },
): Promise<void> {
  await requireBlob(tx, tree.sha256);
  await putOutput(tx, { jobId: job.id, path, attemptId: attempt.id, ...tree });
}

async function artifactPublished(
  scene: Scene,
  { name, sha256, bytes }: Extract<ReportEvent, { type: 'artifact-published' }>,
): Promise<void> {
  const { tx, attempt, job, build, variant, now } = scene;
  await requireBlob(tx, sha256);
  const artifact = { build: build.id, variant, name, job: job.id, attempt: attempt.id };
  await putArtifact(tx, { ...artifact, sha256, bytes }, now);
  tell(scene, 'artifact-published', { name, sha256, bytes });
}

async function requireBlob(tx: Transaction<Schema>, sha256: string): Promise<void> {
  if (await hasBlob(tx, sha256)) return;
  throw new FarmError('INVALID', `the bytes of ${sha256} were never committed`);
}

function requireOwnStep({ steps, job }: Scene, index: number): StepRow {
  const step = steps.find((candidate) => candidate.index === index);
  if (step === undefined) throw new FarmError('INVALID', `job ${job.id} has no step ${index}`);
  return step;
}

function tell(
  scene: Scene,
  type: Parameters<Changes['event']>[0],
  data: Readonly<Record<string, unknown>>,
): void {
  scene.changes.event(type, aboutAttempt(scene), { ...jobData(scene), ...data });
}

function aboutAttempt({ build, job, attempt }: Scene) {
  const agent: AgentId = attempt.agent_id;
  return { build: build.id, job: job.id, attempt: attempt.id, agent };
}

function jobData({ variant, job }: Scene): Readonly<Record<string, unknown>> {
  return { variant, lane: job.lane };
}

function stepData({ steps }: Scene, index: number): Readonly<Record<string, unknown>> {
  return { step: steps.find((step) => step.index === index)?.name ?? String(index), index };
}
