import { Injectable } from '@nestjs/common';
import type { Transaction } from 'kysely';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId, type AgentId, type BuildId, type JobId } from '#libs/contracts';
import {
  attemptLoads,
  checkpointsOfLineages,
  countAttempts,
  findJob,
  groupBy,
  holdsDuty,
  inChunks,
  insertAttempt,
  listAgents,
  lockBuild,
  locksRows,
  publishedEnds,
  runningJobs,
  setWaitingReasons,
  stepsOfJobs,
  transact,
  updateJob,
  usualFetchBytes,
  usualFetches,
  usualStepTimes,
  variantName,
  waitingJobs,
  type AgentRow,
  type Schema,
  type StepRow,
  type WaitingJobRow,
} from '#libs/store';
import { settleState } from '../builds/settle-build.js';
import { CoordinatorConfig } from '../config.js';
import { placeJobs, type Placement } from '../decide/place-jobs.js';
import type {
  CandidateAgent,
  PlacementInput,
  Served,
  UnderWay,
  WaitingJob,
} from '../decide/placement-input.js';
import { roomForWaiting } from '../decide/room-for-waiting.js';
import { Metrics } from '../metrics.js';
import { Clock, Store } from '../store.js';
import { Work, type Changes } from '../work.js';
import { candidateOf } from './candidate-agents.js';
import { SCHEDULE_DUTY } from './duty.js';
import { ReusableStates } from './reusable-states.js';
import { ReuseResults } from './reuse-results.js';
import { boundaryLabels, boundaryPosition, doneSteps, orderedSteps } from './job-progress.js';

/** Builds whose jobs are assigned in one transaction: few, since nothing else is answered meanwhile. */
const BUILDS_PER_TRANSACTION = 10;
/**
 * Jobs that a pass assigns. Each costs the coordinator some ten milliseconds until it runs (the assignment, the claim, the first reports): four thousand at
 * once, and heartbeats would be answered too late. Passes rest in between.
 */
export const MOST_PLACEMENTS = 100;

const NOTHING_UNDER_WAY: UnderWay = { trusted: new Map(), all: new Map() };

const NO_ROOM = '[]';

/** Between the parts of a pass, of which each may take a tenth of a second on a large farm: whoever called meanwhile is answered. */
const BREATH_MS = 10;

/** One scheduling pass: reads what waits and who is free, decides (placeJobs), and records. */
@Injectable()
export class ScheduleJobs {
  #served: Served | undefined;
  /** As JSON. */
  #wantedRoom = NO_ROOM;
  readonly #reuse: ReusableStates;

  constructor(
    private readonly store: Store,
    private readonly work: Work,
    private readonly config: CoordinatorConfig,
    private readonly clock: Clock,
    private readonly metrics: Metrics,
    private readonly results: ReuseResults,
  ) {
    this.#reuse = new ReusableStates(store);
  }

  /** Resolves to the number of jobs assigned. Does nothing that counts unless `holder` has the duty when it is recorded. */
  async pass(holder: string): Promise<number> {
    const startedAt = performance.now();
    const underWay = await this.#reuse.underWay();
    await this.results.pass(holder);
    const rows = await waitingJobs(this.store.db);
    if (rows.length === 0) return 0;
    await sleep(BREATH_MS);
    const assigned = await this.#place(holder, rows, underWay);
    this.metrics.countPass(performance.now() - startedAt);
    return assigned;
  }

  async #place(holder: string, rows: readonly WaitingJobRow[], underWay: UnderWay): Promise<number> {
    const agents = await listAgents(this.store.db);
    const input = await this.#input(rows, agents, underWay);
    await sleep(BREATH_MS);
    const result = placeJobs({ ...input, limits: { ...input.limits, placements: MOST_PLACEMENTS } });
    this.#served = result.served;
    await sleep(BREATH_MS);
    await this.#keepReasons(rows, result.waiting);
    this.#askForRoom(
      input.jobs.filter(({ id }) => result.waiting.has(id)),
      input.agents,
    );
    const names = new Map(agents.map(({ id, name }) => [id, name]));
    const byId = new Map(rows.map((row) => [row.id, row]));
    const placements = result.placements.flatMap(({ job, agent, ...how }) => {
      const row = byId.get(job);
      return row === undefined ? [] : [{ row, agent, agentName: names.get(agent) ?? agent, ...how }];
    });
    return await this.#assignAll(holder, placements);
  }

  /** Once for the same want: what could be done about it has been then. */
  #askForRoom(jobs: readonly WaitingJob[], agents: readonly CandidateAgent[]): void {
    const wanted = JSON.stringify([...roomForWaiting(jobs, agents)]);
    if (wanted !== this.#wantedRoom && wanted !== NO_ROOM) this.work.wantRoom();
    this.#wantedRoom = wanted;
  }

  /** What the next pass would look at. */
  async readInput(): Promise<PlacementInput> {
    const underWay = await this.#reuse.underWay();
    return await this.#input(await waitingJobs(this.store.db), await listAgents(this.store.db), underWay);
  }

  /** The same for jobs that run, as if they waited. */
  async readInputOfRunning(jobs: readonly JobId[]): Promise<PlacementInput> {
    const [rows, agents] = [await runningJobs(this.store.db, jobs), await listAgents(this.store.db)];
    return await this.#input(rows, agents, NOTHING_UNDER_WAY);
  }

  async #input(
    rows: readonly WaitingJobRow[],
    agents: readonly AgentRow[],
    underWay: UnderWay,
  ): Promise<PlacementInput> {
    const now = this.clock.now();
    const { db } = this.store;
    const loads = await attemptLoads(db);
    const byAgent = groupBy(loads, ({ agent }) => agent);
    const published = await publishedEnds(
      db,
      rows.flatMap(({ base }) => (base === null ? [] : [base.jobId])),
    );
    const tried = rows.filter(({ wasTried }) => wasTried);
    const steps = await this.#stepsOf(tried);
    const holders = await this.#holders(tried, rows, steps);
    const reuse = await this.#reuse.look(rows, holders);
    const begunElsewhere = rows.filter(({ id, wasTried }) => !wasTried && (reuse.held.get(id) ?? 0) > 1);
    const reusable = await this.#stepsOf(begunElsewhere);
    const usualOf = await this.#usualTimes(begunElsewhere);
    const bytesOf = await this.#boundaryBytes([...tried, ...begunElsewhere]);
    const jobs = rows.map((row): WaitingJob => ({
      id: row.id,
      build: row.build,
      user: row.user,
      priority: row.priority,
      waitingSince: row.waitingSince,
      createdAt: row.createdAt,
      index: row.index,
      requires: row.requires,
      onAgent: row.onAgent,
      avoid: row.avoid,
      wants: {
        lineage: row.lineage,
        base:
          row.base === null
            ? null
            : {
                lineage: baseKey(row.base.lineage, row.base.checkpoint),
                published: published.has(row.base.jobId),
                bytes: published.get(row.base.jobId) ?? null,
              },
      },
      ...(reusable.has(row.id)
        ? progressElsewhere(row, reusable.get(row.id) ?? [], reuse.held.get(row.id) ?? 0, bytesOf, usualOf)
        : progressOf(row, steps.get(row.id) ?? [], bytesOf)),
      nextKey: reuse.nextKeys.get(row.id) ?? null,
      isTrusted: row.isTrusted,
    }));
    return {
      jobs,
      agents: agents.map((agent) => candidateOf(agent, byAgent.get(agent.id) ?? [], now)),
      holders,
      underWay,
      fetches: await usualFetches(db),
      runningByUser: countBy(loads.map(({ user }) => user)),
      limits: { runningPerUser: this.config.runningPerUser },
      ...(this.#served === undefined ? {} : { served: this.#served }),
      now,
    };
  }

  async #stepsOf(rows: readonly WaitingJobRow[]): Promise<ReadonlyMap<JobId, readonly StepRow[]>> {
    const steps: StepRow[] = [];
    await inChunks(
      rows.map(({ id }) => id),
      500,
      async (ids) => {
        steps.push(...(await stepsOfJobs(this.store.db, ids)));
      },
    );
    return groupBy(steps, ({ job_id }) => job_id);
  }

  /** What checkpoints of the jobs may measure, by distribution and label. */
  async #boundaryBytes(rows: readonly WaitingJobRow[]): Promise<BoundaryBytes> {
    const bytes = new Map<string, ReadonlyMap<string, number>>();
    for (const distribution of new Set(rows.map((row) => row.distribution)))
      bytes.set(distribution, await usualFetchBytes(this.store.db, distribution));
    return bytes;
  }

  /** How long steps usually take, by distribution and name. */
  async #usualTimes(rows: readonly WaitingJobRow[]): Promise<UsualTimes> {
    const times = new Map<string, ReadonlyMap<string, number>>();
    for (const distribution of new Set(rows.map((row) => row.distribution)))
      times.set(distribution, await usualStepTimes(this.store.db, distribution));
    return times;
  }

  /** Who holds how much of what the jobs that were tried have done, and the very checkpoint that others go on from. */
  async #holders(
    tried: readonly WaitingJobRow[],
    rows: readonly WaitingJobRow[],
    steps: ReadonlyMap<JobId, readonly StepRow[]>,
  ): Promise<Map<string, Map<AgentId, number>>> {
    const holders = new Map<string, Map<AgentId, number>>();
    const descendants = new Map<string, Descendant[]>();
    for (const { id, lineage, ancestors } of tried) {
      const own = steps.get(id) ?? [];
      for (const each of [{ lineage, upToIndex: Infinity }, ...ancestors])
        descendants.set(each.lineage, [
          ...(descendants.get(each.lineage) ?? []),
          { lineage, positionOf: (label) => boundaryPosition(label, own, each.upToIndex) },
        ]);
    }
    const bases = rows.flatMap(({ base }) => (base === null ? [] : [base]));
    const wanted = new Set([...descendants.keys(), ...bases.map(({ lineage }) => lineage)]);
    const baseKeys = new Set(bases.map(({ lineage, checkpoint }) => baseKey(lineage, checkpoint)));
    for (const checkpoint of await checkpointsOfLineages(this.store.db, [...wanted])) {
      const key = baseKey(checkpoint.lineage, checkpoint.id);
      const held = (descendants.get(checkpoint.lineage) ?? []).map(
        ({ lineage, positionOf }) => [lineage, positionOf(checkpoint.label)] as const,
      );
      for (const [each, position] of baseKeys.has(key) ? [...held, [key, 1] as const] : held) {
        const furthest = holders.get(each) ?? new Map<AgentId, number>();
        const { agentId } = checkpoint;
        if (position > 0)
          holders.set(each, furthest.set(agentId, Math.max(furthest.get(agentId) ?? 0, position)));
      }
    }
    return holders;
  }

  async #keepReasons(rows: readonly WaitingJobRow[], waiting: ReadonlyMap<JobId, string>): Promise<void> {
    const changed = rows.flatMap(({ id, waitingReason }) => {
      const reason = waiting.get(id);
      return reason === undefined || reason === waitingReason ? [] : [[id, reason] as const];
    });
    const { db } = this.store;
    const reasons = new Map(changed);
    // Together they wait for the disk once. PostgreSQL would hold the locks of all the rows meanwhile.
    if (locksRows(db)) await setWaitingReasons(db, reasons);
    else await transact(db, async (tx) => await setWaitingReasons(tx, reasons));
  }

  async #assignAll(holder: string, placements: readonly Placed[]): Promise<number> {
    const byBuild = new Map<BuildId, Placed[]>();
    for (const placed of placements)
      byBuild.set(placed.row.build, [...(byBuild.get(placed.row.build) ?? []), placed]);
    // In the order of their ids, so that two transactions never wait for each other.
    const builds = [...byBuild.keys()].toSorted();
    let assigned = 0;
    for (let at = 0; at < builds.length; at += BUILDS_PER_TRANSACTION) {
      assigned += await this.work.change(async (tx, changes, now) => {
        if (!(await holdsDuty(tx, SCHEDULE_DUTY, holder, now))) return 0;
        let count = 0;
        for (const build of builds.slice(at, at + BUILDS_PER_TRANSACTION))
          count += await this.#assign(tx, changes, now, build, byBuild.get(build) ?? []);
        return count;
      });
    }
    return assigned;
  }

  async #assign(
    tx: Transaction<Schema>,
    changes: Changes,
    now: number,
    id: BuildId,
    placements: readonly Placed[],
  ): Promise<number> {
    const build = await lockBuild(tx, id);
    if (build?.wish !== 'run') return 0;
    let count = 0;
    for (const { row, agent, agentName, reason, loss, fetchUpTo } of placements) {
      const job = await findJob(tx, row.id);
      if (job?.state !== 'waiting') continue;
      const epoch = job.epoch + 1;
      const attempt = newId('t');
      await updateJob(tx, job.id, {
        state: 'assigned',
        epoch,
        end_checkpoint: null,
        end_origin: null,
        waiting_reason: '',
        waiting_since: null,
      });
      await insertAttempt(tx, {
        id: attempt,
        job: job.id,
        build: id,
        number: (await countAttempts(tx, job.id)) + 1,
        epoch,
        agent,
        lineage: row.lineage,
        fetchUpTo,
        now,
        leaseUntil: now + this.config.leaseMs,
      });
      changes.event(
        'job-assigned',
        { build: id, job: job.id, attempt, agent },
        { lane: job.lane, agentName, reason },
      );
      if (loss !== null)
        changes.event(
          'warning',
          { build: id, job: job.id, attempt, agent },
          { variant: (await variantName(tx, job.variant_id)) ?? '', lane: job.lane, text: loss },
        );
      count += 1;
    }
    await settleState(tx, changes, now, build);
    return count;
  }
}

/** The state at a job's end, among all that holders may hold: not what another attempt left under the same name. */
function baseKey(lineage: string, checkpoint: string | null): string {
  return `${lineage}@${checkpoint ?? ''}`;
}

type BoundaryBytes = ReadonlyMap<string, ReadonlyMap<string, number>>;
type UsualTimes = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** How far a job has got, and what that may measure. */
function progressOf(
  row: WaitingJobRow,
  steps: readonly StepRow[],
  bytesOf: BoundaryBytes,
): Pick<WaitingJob, 'done' | 'isComplete' | 'ordered' | 'boundaryBytes'> {
  const bytes = bytesOf.get(row.distribution);
  return {
    done: doneSteps(row, steps),
    isComplete: steps.length > 0 && steps.every(({ state }) => state === 'succeeded'),
    ordered: orderedSteps(row.ancestors, steps),
    boundaryBytes: boundaryLabels(steps).map((label) => bytes?.get(label) ?? null),
  };
}

/** The same of a job that has done nothing itself, and begins with what others have. */
function progressElsewhere(
  row: WaitingJobRow,
  steps: readonly StepRow[],
  held: number,
  bytesOf: BoundaryBytes,
  usualOf: UsualTimes,
): ReturnType<typeof progressOf> {
  const usual = usualOf.get(row.distribution);
  return {
    ...progressOf(row, steps, bytesOf),
    done: steps.slice(0, held - 1).map(({ name }) => ({ name, ms: usual?.get(name) ?? null })),
    isComplete: false,
  };
}

interface Placed extends Omit<Placement, 'job'> {
  readonly row: WaitingJobRow;
  readonly agentName: string;
}

/** A job that may go on from checkpoints of a lineage, its own or an earlier one. */
interface Descendant {
  readonly lineage: string;
  /** Which of the job's boundaries the label is, from 1; 0: none that is good for it. */
  readonly positionOf: (label: string) => number;
}

function countBy<T>(items: readonly T[]): ReadonlyMap<T, number> {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}
