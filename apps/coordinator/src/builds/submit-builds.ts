import { Injectable } from '@nestjs/common';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  FarmError,
  newId,
  type AcceptedSubmission,
  type AgentId,
  type PlanPreview,
  type SubmittedBuild,
} from '#libs/contracts';
import { BlobStore } from '#libs/artifacts';
import { findStep } from '#libs/plan';
import {
  appendAudit,
  cataloguedAmong,
  countOpenVariants,
  findAgent,
  findAgentByName,
  findBuildByKey,
  insertBlob,
  insertBuild,
  insertJobs,
  insertManifest,
  isUniqueViolation,
  listAgents,
  usualStepTimes,
  type BuildRow,
} from '#libs/store';
import type { Caller } from '../access/caller.js';
import { CoordinatorConfig } from '../config.js';
import { couldEverRun } from '../decide/could-ever-run.js';
import type { CandidateAgent } from '../decide/placement-input.js';
import { candidateOf } from '../scheduling/candidate-agents.js';
import { Clock, Store } from '../store.js';
import { Work } from '../work.js';
import { BuildViews } from './build-views.js';
import { Gate } from './gate.js';
import { planRows, type VariantRows } from './plan-rows.js';
import { planSubmission, type PlannedFile, type PlannedSubmission } from './plan-submission.js';
import { settleBuild } from './settle-build.js';

/** A submission in work may be thousands of rows in memory. So many wait for the disk together; more at a time would end no sooner. */
const AT_A_TIME = 6;

/** From a submission to a build on record, or a refusal that leaves nothing behind. */
@Injectable()
export class SubmitBuilds {
  readonly #gate = new Gate(AT_A_TIME);

  constructor(
    private readonly store: Store,
    private readonly blobs: BlobStore,
    private readonly work: Work,
    private readonly views: BuildViews,
    private readonly config: CoordinatorConfig,
    private readonly clock: Clock,
  ) {}

  async submit(submission: AcceptedSubmission, caller: Caller): Promise<SubmittedBuild> {
    return await this.#gate.admit(() => this.#submit(submission, caller));
  }

  async #submit(submission: AcceptedSubmission, caller: Caller): Promise<SubmittedBuild> {
    const earlier = await this.#earlier(submission, caller);
    if (earlier !== null) return earlier;
    const planned = await this.#plan(submission, caller);
    const onAgent = await this.#agentOf(submission.onAgent);
    const build = this.#buildRow(submission, planned, caller, onAgent);
    const variants = planned.variants.map((variant) => planRows(build.id, variant));
    if (!submission.wait) await this.#requirePlaceable(variants, onAgent);
    this.#requireRoom(caller, await countOpenVariants(this.store.db, caller.user), variants.length);
    await this.#keepFiles(planned.files);
    try {
      await this.#record(build, submission, planned, variants, caller);
    } catch (error) {
      // Two submissions with one key at the same time: the other one was first.
      const first = isUniqueViolation(error) ? await this.#earlier(submission, caller) : null;
      if (first !== null) return first;
      throw error;
    }
    return { build: await this.views.detail(build.id), created: true, notes: [...planned.notes] };
  }

  /** What a submission would become. Nothing is kept, and what could not be placed is said instead of refused. */
  async preview(submission: AcceptedSubmission, caller: Caller): Promise<PlanPreview> {
    const planned = await this.#plan(submission, caller);
    const onAgent = await this.#agentOf(submission.onAgent);
    const [agents, usual] = await Promise.all([
      this.#enrolled(),
      usualStepTimes(this.store.db, planned.name),
    ]);
    const id = newId('b');
    const variants = planned.variants.map((variant) => {
      const rows = planRows(id, variant);
      return {
        name: variant.name,
        optional: variant.isOptional,
        jobs: rows.jobs.map((job) => ({
          index: job.index,
          lane: job.lane,
          architecture: job.requires.architecture,
          needs: [...job.needs],
          steps: rows.steps
            .filter((step) => step.job_id === job.id)
            .map(({ name, message }) => ({ name, message, usualMs: usual.get(name) ?? null })),
          placement: couldEverRun({ requires: job.requires, onAgent }, agents).sentence,
        })),
      };
    });
    return { name: planned.name, notes: [...planned.notes], variants };
  }

  async #earlier(submission: AcceptedSubmission, caller: Caller): Promise<SubmittedBuild | null> {
    if (submission.idempotencyKey === null) return null;
    const build = await findBuildByKey(this.store.db, caller.user, submission.idempotencyKey);
    if (build === null) return null;
    return { build: await this.views.detail(build.id), created: false, notes: [] };
  }

  async #plan(submission: AcceptedSubmission, caller: Caller): Promise<PlannedSubmission> {
    const scratch = join(this.config.dataFolder, 'scratch');
    await mkdir(scratch, { recursive: true, mode: 0o700 });
    const planned = await planSubmission(submission, scratch, new Date(this.clock.now()));
    if (!caller.rights.includes('scripts')) await this.#requireCatalogued(planned, caller);
    return planned;
  }

  async #requireCatalogued(planned: PlannedSubmission, caller: Caller): Promise<void> {
    const known = await cataloguedAmong(
      this.store.db,
      planned.scripts.map(({ sha256 }) => sha256),
    );
    const own = planned.scripts.filter(({ sha256 }) => !known.has(sha256));
    if (own.length === 0) return;
    throw new FarmError(
      'SCRIPT_NOT_CATALOGUED',
      `${caller.user} may use catalogued scripts only, since a step is root on an agent`,
      'An admin catalogues them: distrofarm scripts add FILE. Or gives a token the right "scripts".',
      own.map(({ path, sha256 }) => `${path} (${sha256}) is not in the catalogue`),
    );
  }

  async #agentOf(nameOrId: string | null): Promise<AgentId | null> {
    if (nameOrId === null) return null;
    const { db } = this.store;
    const agent = (await findAgentByName(db, nameOrId)) ?? (await findAgent(db, nameOrId as AgentId));
    if (agent !== null && agent.revokedAt === null) return agent.id;
    throw new FarmError('NOT_FOUND', `there is no agent "${nameOrId}"`, 'distrofarm agents list shows them.');
  }

  async #enrolled(): Promise<readonly CandidateAgent[]> {
    const agents = await listAgents(this.store.db);
    return agents.map((agent) => candidateOf(agent, [], this.clock.now()));
  }

  async #requirePlaceable(variants: readonly VariantRows[], onAgent: AgentId | null): Promise<void> {
    const agents = await this.#enrolled();
    const problems = new Set<string>();
    for (const job of variants.flatMap(({ jobs }) => jobs)) {
      const verdict = couldEverRun({ requires: job.requires, onAgent }, agents);
      if (!verdict.possible) problems.add(`lane ${job.lane}: ${verdict.sentence}`);
    }
    if (problems.size === 0) return;
    throw new FarmError(
      'UNPLACEABLE',
      'no agent of the farm could ever run this',
      'Enrol an agent that can, or submit it all the same and let it wait: --wait-for-agents.',
      [...problems],
    );
  }

  #requireRoom(caller: Caller, open: number, variants: number): void {
    const most = this.config.openVariantsPerUser;
    if (open + variants <= most) return;
    throw new FarmError(
      'TOO_MANY',
      `${caller.user} has ${open} variants that are not done; with ${variants} more it would be over ${most}`,
      'Wait for some to end, or cancel some.',
    );
  }

  async #keepFiles(files: readonly PlannedFile[]): Promise<void> {
    for (const { bytes } of files) await this.blobs.put(bytes);
    await this.work.change(async (tx, _, now) => {
      for (const { sha256, bytes } of files) await insertBlob(tx, { sha256, bytes: bytes.length }, now);
    });
  }

  #buildRow(
    submission: AcceptedSubmission,
    planned: PlannedSubmission,
    caller: Caller,
    onAgent: AgentId | null,
  ): BuildRow {
    const pauseBefore = submission.pauseBefore;
    const [plan] = planned.variants.map((variant) => variant.plan);
    return {
      id: newId('b'),
      name: planned.name,
      user: caller.user,
      idempotency_key: submission.idempotencyKey,
      manifest_sha256: planned.manifestSha256,
      manifest_path: submission.manifestPath,
      files: planned.files.map(({ path, executable, sha256, bytes }) => ({
        path,
        executable,
        sha256,
        bytes: bytes.length,
      })),
      source_date_epoch: submission.sourceDateEpoch,
      priority: submission.priority,
      on_agent: onAgent,
      note: submission.note,
      wish: 'run',
      pause_before:
        pauseBefore === null || plan === undefined ? null : (findStep(plan, pauseBefore)?.name ?? null),
      state: 'waiting',
      waits: submission.wait ? 1 : 0,
      replicas: submission.replicas ?? planned.replicas ?? this.config.replicas,
      waits_for_replicas: submission.waitForReplicas || planned.waitsForReplicas ? 1 : 0,
      created_at: this.clock.now(),
      started_at: null,
      ended_at: null,
      collected_at: null,
    };
  }

  async #record(
    build: BuildRow,
    submission: AcceptedSubmission,
    planned: PlannedSubmission,
    variants: readonly VariantRows[],
    caller: Caller,
  ): Promise<void> {
    await this.work.change(async (tx, changes, now) => {
      await insertManifest(tx, planned.manifestSha256, submission.manifest);
      await insertBuild(
        tx,
        build,
        variants.map(({ variant }) => variant),
      );
      await insertJobs(
        tx,
        variants.flatMap(({ jobs }) => jobs),
        variants.flatMap(({ steps }) => steps),
      );
      changes.event('build-submitted', { build: build.id }, { name: build.name, user: build.user });
      await settleBuild(tx, changes, now, build.id, null);
      await appendAudit(tx, now, {
        user: caller.user,
        tokenId: caller.token,
        action: 'build.submit',
        target: build.id,
        why: build.note,
        data: { manifest: planned.manifestSha256, variants: variants.length },
      });
      // Once more, now that we have a number of the audit: no other submission is between here and the commit.
      const open = (await countOpenVariants(tx, caller.user)) - variants.length;
      this.#requireRoom(caller, open, variants.length);
    });
  }
}
