import { Injectable } from '@nestjs/common';
import type { Transaction } from 'kysely';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  FarmError,
  newId,
  type AcceptedSubmission,
  type AgentId,
  type SubmittedBuild,
} from '#libs/contracts';
import { BlobStore } from '#libs/artifacts';
import { findStep, planKeys, type KeyWorld } from '#libs/plan';
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
  insertStepFingerprints,
  setKeysWait,
  isUniqueViolation,
  listAgents,
  newestReusableBuild,
  type BuildRow,
  type Flag,
  type Schema,
} from '#libs/store';
import type { Caller } from '../access/caller.js';
import { CoordinatorConfig } from '../config.js';
import { AskFingerprints } from '../fingerprints/ask-fingerprints.js';
import { wantedFingerprints, type WantedFingerprint } from '../fingerprints/wanted-fingerprints.js';
import { couldEverRun } from '../decide/could-ever-run.js';
import type { CandidateAgent } from '../decide/placement-input.js';
import { candidateOf } from '../scheduling/candidate-agents.js';
import { Clock, Store } from '../store.js';
import { Work, type Changes } from '../work.js';
import { BuildViews } from './build-views.js';
import { Gate } from './gate.js';
import { keyWorldOf } from './key-world.js';
import { planRows, type VariantRows } from './plan-rows.js';
import { planSubmission, type PlannedFile, type PlannedSubmission } from './plan-submission.js';
import { settleBuild } from './settle-build.js';

/** A submission in work may be thousands of rows in memory. So many wait for the disk together; more at a time would end no sooner. */
const AT_A_TIME = 6;

export interface Proposal {
  readonly planned: PlannedSubmission;
  /** Its text. */
  readonly manifest: string;
  readonly onAgent: AgentId | null;
  /** The images' time, in seconds since 1970. */
  readonly epoch: number;
  readonly world: KeyWorld;
  readonly notes: readonly string[];
  /** What is to be asked for before all keys are known; nothing where nothing is to be reused. */
  readonly wanted: readonly WantedFingerprint[];
}

/** From a submission to a build on record, or a refusal that leaves nothing behind. */
@Injectable()
export class SubmitBuilds {
  readonly #gate = new Gate(AT_A_TIME);

  constructor(
    private readonly store: Store,
    private readonly blobs: BlobStore,
    private readonly work: Work,
    private readonly views: BuildViews,
    private readonly asks: AskFingerprints,
    private readonly config: CoordinatorConfig,
    private readonly clock: Clock,
  ) {}

  async submit(submission: AcceptedSubmission, caller: Caller): Promise<SubmittedBuild> {
    return await this.#gate.admit(() => this.#submit(submission, caller));
  }

  async #submit(submission: AcceptedSubmission, caller: Caller): Promise<SubmittedBuild> {
    const earlier = await this.#earlier(submission, caller);
    if (earlier !== null) return earlier;
    const { planned, onAgent, epoch, world, notes, wanted } = await this.propose(submission, caller);
    const build = this.#buildRow(submission, planned, caller, onAgent, epoch);
    const variants = planned.variants.map((variant) =>
      planRows(build.id, variant, planKeys(variant.plan, variant.manifest, world)),
    );
    if (!submission.wait) await this.#requirePlaceable(variants, onAgent);
    this.#requireRoom(caller, await countOpenVariants(this.store.db, caller.user), variants.length);
    await this.keepFiles(planned.files);
    try {
      await this.#record(build, submission, planned, variants, wanted, caller);
    } catch (error) {
      // Two submissions with one key at the same time: the other one was first.
      const first = isUniqueViolation(error) ? await this.#earlier(submission, caller) : null;
      if (first !== null) return first;
      throw error;
    }
    return { build: await this.views.detail(build.id), created: true, notes: [...notes] };
  }

  /** A submission understood; nothing is kept. Throws FarmError for what is wrong with it. */
  async propose(submission: AcceptedSubmission, caller: Caller): Promise<Proposal> {
    const planned = await this.#plan(submission, caller);
    const onAgent = await this.#agentOf(submission.onAgent);
    const { epoch, notes } = await this.#imageTime(submission, planned, trustOf(caller));
    const world = keyWorldOf(planned, epoch, await listAgents(this.store.db));
    const wanted = submission.reuse
      ? wantedFingerprints(planned, world, { onAgent, trusted: trustOf(caller) })
      : [];
    const { manifest } = submission;
    return { planned, manifest, onAgent, epoch, world, notes: [...planned.notes, ...notes], wanted };
  }

  /** An edit of the manifest changes its file's time, too: were that the image's, no step would ever be the same as before. */
  async #imageTime(
    { sourceDateEpoch: epoch, anySourceDateEpoch, reuse }: AcceptedSubmission,
    { name }: PlannedSubmission,
    trusted: Flag,
  ): Promise<{ readonly epoch: number; readonly notes: readonly string[] }> {
    const usual =
      reuse && anySourceDateEpoch ? await newestReusableBuild(this.store.db, name, trusted) : null;
    if (usual === null || usual.sourceDateEpoch === epoch) return { epoch, notes: [] };
    const time = new Date(usual.sourceDateEpoch * 1000).toISOString();
    const note = `the images carry the time ${time}, as those of ${usual.build}, so that its steps can be reused; SOURCE_DATE_EPOCH sets another`;
    return { epoch: usual.sourceDateEpoch, notes: [note] };
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
    if (own.length === 0 && planned.commands.length === 0) return;
    throw new FarmError(
      'SCRIPT_NOT_CATALOGUED',
      `${caller.user} may use catalogued scripts only, since a step is root on an agent`,
      'An admin catalogues them: distrofarm scripts add FILE. Or gives a token the right "scripts".',
      [
        ...own.map(({ path, sha256 }) => `${path} (${sha256}) is not in the catalogue`),
        ...planned.commands.map(
          ({ step, program }) =>
            `step "${step}": its fingerprint runs ${program}, which is no catalogued script; expected one that lies with the manifest`,
        ),
      ],
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

  /** Before anything on record refers to them. */
  async keepFiles(files: readonly PlannedFile[]): Promise<void> {
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
    sourceDateEpoch: number,
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
      source_date_epoch: sourceDateEpoch,
      priority: submission.priority,
      on_agent: onAgent,
      note: submission.note,
      wish: 'run',
      pause_before:
        pauseBefore === null || plan === undefined ? null : (findStep(plan, pauseBefore)?.name ?? null),
      state: 'waiting',
      waits: submission.wait ? 1 : 0,
      replicas: submission.replicas ?? planned.replicas ?? this.config.replicas,
      reuse: submission.reuse ? 1 : 0,
      trusted: trustOf(caller),
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
    wanted: readonly WantedFingerprint[],
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
        variants.flatMap(({ keys }) => keys),
      );
      await this.#askFor(tx, changes, now, variants, wanted);
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

  /** Until the answers are there, nothing of the build begins. */
  async #askFor(
    tx: Transaction<Schema>,
    changes: Changes,
    now: number,
    variants: readonly VariantRows[],
    wanted: readonly WantedFingerprint[],
  ): Promise<void> {
    if (wanted.length === 0) return;
    const asks = await this.asks.ask(tx, changes, now, wanted);
    const ids = new Map(variants.map(({ variant }) => [variant.name, variant.id]));
    const rows = wanted.flatMap(({ variant, index, step, digest }) => {
      const [variant_id, ask_id] = [ids.get(variant.name), asks.get(digest)];
      return variant_id === undefined || ask_id === undefined ? [] : [{ variant_id, index, step, ask_id }];
    });
    await insertStepFingerprints(tx, rows);
    await setKeysWait(tx, [...new Set(rows.map(({ variant_id }) => variant_id))], 1);
  }
}

/** Who may bring own scripts could do what he likes on an agent anyhow; what others make is not for him to go on from. */
export function trustOf({ rights }: Caller): Flag {
  return rights.includes('scripts') ? 1 : 0;
}
