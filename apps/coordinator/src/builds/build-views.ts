import { Injectable } from '@nestjs/common';
import {
  FarmError,
  type AttemptView,
  type BuildChanges,
  type BuildDetail,
  type BuildId,
  type BuildPage,
  type BuildSummary,
  type JobView,
  type ListBuilds,
  type StepView,
} from '#libs/contracts';
import {
  attemptsOfBuild,
  attemptsOfJobs,
  checkpointsOfLineages,
  countSteps,
  findBuild,
  findBuildsByPrefix,
  glanceAtJobs,
  groupBy,
  jobsOfBuild,
  jobsWithEvents,
  lastEventSeq,
  lineageOf,
  listAgents,
  listBuilds,
  listCheckpoints,
  stepsOfBuild,
  stepsOfJobs,
  usualStepTimes,
  variantsOf,
  type AttemptRow,
  type BuildRow,
  type CheckpointRow,
  type JobGlance,
  type JobRow,
  type StepRow,
  type VariantRow,
} from '#libs/store';
import { AskFingerprints } from '../fingerprints/ask-fingerprints.js';
import { Store } from '../store.js';
import { summariseBuild, type JobsAtAGlance } from './summarise-build.js';

/** Builds as the API shows them. */
@Injectable()
export class BuildViews {
  constructor(
    private readonly store: Store,
    private readonly asks: AskFingerprints,
  ) {}

  /** An id, the start of one that only one build has, or `latest`. Throws NOT_FOUND. */
  async resolve(reference: string): Promise<BuildRow> {
    const { db } = this.store;
    if (reference === 'latest') {
      const [newest] = await listBuilds(db, { limit: 1 });
      if (newest !== undefined) return newest;
      throw new FarmError('NOT_FOUND', 'there is no build yet', 'Submit one: distrofarm submit manifest.xml');
    }
    const found = /^b-[0-9a-z]{1,10}$/.test(reference) ? await findBuildsByPrefix(db, reference) : [];
    const [id] = found;
    if (id !== undefined && found.length === 1) {
      const build = await findBuild(db, id);
      if (build !== null) return build;
    }
    if (found.length > 1) {
      throw new FarmError('NOT_FOUND', `several builds begin with "${reference}"`, 'Give more of the id.');
    }
    throw new FarmError('NOT_FOUND', `there is no build "${reference}"`, 'distrofarm list shows them.');
  }

  async list(filter: ListBuilds): Promise<BuildPage> {
    const { db } = this.store;
    const rows = await listBuilds(db, {
      states: filter.state,
      user: filter.user,
      name: filter.name,
      since: filter.since,
      before: readCursor(filter.cursor),
      limit: filter.limit + 1,
    });
    const page = rows.slice(0, filter.limit);
    const counts = await countSteps(
      db,
      page.map(({ id }) => id),
    );
    const glances = await glanceAtJobs(
      db,
      page.map(({ id }) => id),
    );
    const asking = await this.asks.reasons(page.map(({ id }) => id));
    const builds = await Promise.all(
      page.map(async (build) => {
        const variants = await variantsOf(db, build.id);
        const steps = counts.get(build.id) ?? { total: 0, done: 0 };
        return toSummary(
          build,
          variants,
          steps,
          summariseBuild(build, atAGlance(build.id, glances), asking.get(build.id)),
        );
      }),
    );
    const last = page.at(-1);
    const next = rows.length > page.length && last !== undefined ? `${last.created_at}.${last.id}` : null;
    return { builds, next };
  }

  async detail(id: BuildId): Promise<BuildDetail> {
    const { db } = this.store;
    // Asked first: whoever follows from here may see a change twice, never miss one.
    const eventSeq = await lastEventSeq(db);
    const [facts, jobs, steps, attempts, checkpoints] = await Promise.all([
      this.#facts(id),
      jobsOfBuild(db, id),
      stepsOfBuild(db, id),
      attemptsOfBuild(db, id),
      listCheckpoints(db, { build: id }),
    ]);
    const sight = sightOf(facts, { steps, attempts, checkpoints });
    return { ...facts.head, jobs: jobs.map((job) => jobView(job, sight)), eventSeq };
  }

  /** What became of it since the view of that number: see BuildChanges. */
  async changes(id: BuildId, since: number): Promise<BuildChanges> {
    const { db } = this.store;
    const eventSeq = await lastEventSeq(db);
    const touched = await jobsWithEvents(db, id, since);
    const [facts, jobs] = await Promise.all([this.#facts(id), jobsOfBuild(db, id)]);
    const standings = standingsOf(jobs, facts);
    if (touched === null) return { ...(await this.detail(id)), standings };
    const isTouched = new Set(touched);
    const changed = jobs.filter(({ id: job }) => isTouched.has(job));
    const [steps, attempts, checkpoints] = await Promise.all([
      stepsOfJobs(db, touched),
      attemptsOfJobs(db, id, touched),
      checkpointsOfLineages(
        db,
        changed.map((job) => lineageIn(facts, job)),
      ),
    ]);
    const sight = sightOf(facts, { steps, attempts, checkpoints });
    return { ...facts.head, jobs: changed.map((job) => jobView(job, sight)), eventSeq, standings };
  }

  /** What is known of the build beside its jobs. */
  async #facts(id: BuildId): Promise<BuildFacts> {
    const { db } = this.store;
    const build = await findBuild(db, id);
    if (build === null) throw new FarmError('NOT_FOUND', `there is no build "${id}"`);
    const [variants, counts, agents, usual, glances, reasons] = await Promise.all([
      variantsOf(db, id),
      countSteps(db, [id]),
      listAgents(db),
      usualStepTimes(db, build.name),
      glanceAtJobs(db, [id]),
      this.asks.reasons([id]),
    ]);
    const asking = reasons.get(id);
    const steps = counts.get(id) ?? { total: 0, done: 0 };
    return {
      head: {
        ...toSummary(build, variants, steps, summariseBuild(build, atAGlance(id, glances), asking)),
        manifestSha256: build.manifest_sha256,
        manifestPath: build.manifest_path,
        sourceDateEpoch: build.source_date_epoch,
        pauseBefore: build.pause_before,
        replicas: build.replicas,
        waitForReplicas: build.waits_for_replicas === 1,
      },
      variantNames: new Map(variants.map((variant) => [variant.id, variant.name])),
      agentNames: new Map(agents.map((agent) => [agent.id as string, agent.name])),
      usual,
      asking,
    };
  }
}

interface BuildFacts {
  readonly head: Omit<BuildDetail, 'jobs' | 'eventSeq'>;
  readonly variantNames: ReadonlyMap<string, string>;
  readonly agentNames: ReadonlyMap<string, string>;
  readonly usual: ReadonlyMap<string, number>;
  /** Why nothing of the build begins yet. */
  readonly asking: string | undefined;
}

function atAGlance(build: BuildId, glances: readonly JobGlance[]): JobsAtAGlance {
  const own = glances.filter((glance) => glance.build === build);
  return {
    counts: new Map(own.map(({ state, count }) => [state, count])),
    example: (state) => own.find((glance) => glance.state === state) ?? null,
  };
}

function readCursor(cursor: string | undefined): { createdAt: number; id: string } | undefined {
  if (cursor === undefined) return undefined;
  const match = /^(\d{1,16})\.(b-[0-9a-z]{10})$/.exec(cursor);
  if (match === null) throw new FarmError('INVALID', 'cursor: expected the `next` of an earlier page');
  return { createdAt: Number(match[1]), id: match[2] ?? '' };
}

function toSummary(
  build: BuildRow,
  variants: readonly VariantRow[],
  steps: BuildSummary['steps'],
  summary: string,
): BuildSummary {
  return {
    id: build.id,
    name: build.name,
    state: build.state,
    wish: build.wish,
    user: build.user,
    priority: build.priority,
    note: build.note,
    variants: variants.map(({ name }) => name),
    optionalVariants: variants.filter(({ optional }) => optional === 1).map(({ name }) => name),
    createdAt: build.created_at,
    startedAt: build.started_at,
    endedAt: build.ended_at,
    steps,
    summary,
  };
}

/** What a job's view is made of. */
interface Sight extends BuildFacts {
  readonly steps: ReadonlyMap<string, readonly StepRow[]>;
  readonly attempts: ReadonlyMap<string, readonly AttemptRow[]>;
  readonly checkpoints: ReadonlyMap<string, readonly CheckpointRow[]>;
}

function sightOf(
  facts: BuildFacts,
  rows: {
    readonly steps: readonly StepRow[];
    readonly attempts: readonly AttemptRow[];
    readonly checkpoints: readonly CheckpointRow[];
  },
): Sight {
  return {
    ...facts,
    steps: groupByJob(rows.steps, ({ job_id }) => job_id),
    attempts: groupByJob(rows.attempts, ({ job_id }) => job_id),
    checkpoints: groupBy(rows.checkpoints, ({ lineage, label }) => `${lineage}@${label}`),
  };
}

function lineageIn({ head, variantNames }: BuildFacts, job: JobRow): string {
  return lineageOf(head.id, variantNames.get(job.variant_id) ?? '', job.index, job.generation);
}

function waitingReasonOf({ state, waiting_reason }: JobRow, { asking }: BuildFacts): string {
  return state === 'blocked' ? (asking ?? waiting_reason) : waiting_reason;
}

function standingsOf(jobs: readonly JobRow[], facts: BuildFacts): BuildChanges['standings'] {
  const alike = groupBy(jobs, (job) => `${job.state} ${waitingReasonOf(job, facts)}`);
  return [...alike.values()].flatMap((group) => {
    const [example] = group;
    if (example === undefined) return [];
    const waitingReason = waitingReasonOf(example, facts);
    return [{ state: example.state, waitingReason, jobs: group.map(({ id }) => id) }];
  });
}

function jobView(job: JobRow, sight: Sight): JobView {
  const attempts = sight.attempts.get(job.id) ?? [];
  const lineage = lineageIn(sight, job);
  return {
    id: job.id,
    variant: sight.variantNames.get(job.variant_id) ?? '',
    index: job.index,
    lane: job.lane,
    state: job.state,
    waitingReason: waitingReasonOf(job, sight),
    needs: [...job.needs],
    retries: job.retries,
    steps: (sight.steps.get(job.id) ?? []).map((step) => stepView(step, lineage, attempts, sight)),
    attempts: attempts.map((attempt) => attemptView(attempt, sight)),
  };
}

function stepView(step: StepRow, lineage: string, attempts: readonly AttemptRow[], sight: Sight): StepView {
  const attempt = attempts.find(({ id }) => id === step.attempt_id);
  const held = sight.checkpoints.get(`${lineage}@.step_${step.name}`) ?? [];
  return {
    index: step.index,
    name: step.name,
    message: step.message,
    state: step.state,
    startedAt: step.started_at,
    endedAt: step.ended_at,
    outcome: step.outcome,
    attempt: step.attempt_id,
    reusedFrom: step.reused_from,
    agent: attempt?.agent_id ?? null,
    checkpoint: held.at(-1)?.id ?? null,
    checkpointOn: held
      .filter(({ id }) => id === held.at(-1)?.id)
      .map(({ agentId }) => sight.agentNames.get(agentId) ?? agentId)
      .toSorted(),
    usualMs: sight.usual.get(step.name) ?? null,
  };
}

function attemptView(attempt: AttemptRow, { agentNames }: Sight): AttemptView {
  return {
    id: attempt.id,
    job: attempt.job_id,
    number: attempt.number,
    epoch: attempt.epoch,
    state: attempt.state,
    agent: attempt.agent_id,
    agentName: agentNames.get(attempt.agent_id) ?? attempt.agent_id,
    assignedAt: attempt.assigned_at,
    startedAt: attempt.claimed_at,
    endedAt: attempt.ended_at,
    end: attempt.end,
    phase: attempt.phase,
    logBytes: attempt.log_bytes,
  };
}

function groupByJob<T>(rows: readonly T[], jobOf: (row: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(jobOf(row));
    if (group === undefined) groups.set(jobOf(row), [row]);
    else group.push(row);
  }
  return groups;
}
