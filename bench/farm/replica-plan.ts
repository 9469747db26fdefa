/**
 * (e) What one request of an agent for the replicas that it is to fetch takes, with 1,000 agents that each run a job with one replica and keep one, and 10 checkpoints
 * of each job, on both: when nothing has changed since the last one, when something has, and when all jobs have just begun. No network and no agents: the coordinator's own part
 * on a real database.
 *
 * DISTROFARM_BENCH_DATABASE=postgres measures with PostgreSQL, DISTROFARM_BENCH_AGENTS changes how many.
 */
import { newId, type AgentId, type BuildId } from '#libs/contracts';
import type { Wakes } from '#libs/queue';
import {
  claimAttempt,
  insertAgent,
  insertAttempt,
  insertBuild,
  insertJobs,
  insertManifest,
  lineageOf,
  migrate,
  openDatabase,
  recordHello,
  recordHeartbeat,
  replaceCheckpoints,
  type CheckpointRow,
  type FarmDatabase,
  type Schema,
} from '#libs/store';
import type { Transaction } from 'kysely';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Replication } from '../../apps/coordinator/src/scheduling/replication.js';
import { Clock, Store } from '../../apps/coordinator/src/store.js';
import { Work } from '../../apps/coordinator/src/work.js';
import { startPostgres } from '../../libs/store/src/testing-postgres.js';
import { head, ms, percentile, row } from '../figures.js';
import { ANNOUNCED } from './simulated-agent.js';

const AGENTS = Number(process.env['DISTROFARM_BENCH_AGENTS'] ?? 1000);
const CHECKPOINTS = 10;
const REQUESTS = 50;
const DATABASE = process.env['DISTROFARM_BENCH_DATABASE'] === 'postgres' ? 'postgres' : 'sqlite';

const HEARTBEAT = {
  instance: '0'.repeat(32),
  load: { cpu: 0.5, freeMemoryBytes: 1 },
  freeBytes: ANNOUNCED.freeBytes,
  usedBytes: 1,
  leaving: false,
};
const BUILD = {
  name: 'live',
  user: 'ada',
  idempotency_key: null,
  manifest_sha256: 'digest',
  manifest_path: 'live.xml',
  files: [],
  source_date_epoch: 0,
  priority: 'normal',
  on_agent: null,
  note: '',
  wish: 'run',
  pause_before: null,
  state: 'running',
  waits: 0,
  replicas: 1,
  waits_for_replicas: 0,
  reuse: 0,
  trusted: 0,
  started_at: null,
  ended_at: null,
  collected_at: null,
} as const;
const JOB = {
  index: 0,
  lane: 'main',
  workspace: 'build_data',
  state: 'running',
  waiting_reason: '',
  waiting_since: null,
  needs: [],
  base: null,
  imports: [],
  requires: { architecture: 'amd64', labels: [], tools: ['tool1', 'tool2'], freeBytes: 1 },
  end_label: null,
  epoch: 1,
  generation: 0,
  ancestry: [],
  retries: 0,
  avoid: [],
  end_checkpoint: null,
  end_key: null,
  end_origin: null,
  ended_at: null,
} as const;

const folder = await mkdtemp(join(tmpdir(), 'replica-plan-'));
const postgres = DATABASE === 'postgres' ? await startPostgres() : null;
const database = await openDatabase(
  postgres === null
    ? { kind: 'sqlite', path: join(folder, 'farm.db') }
    : { kind: 'postgres', url: postgres.url },
);
try {
  await migrate(database);
  await bench(database);
} finally {
  await database.close();
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true });
}

interface Job {
  readonly build: BuildId;
  readonly host: AgentId;
  readonly buddy: AgentId;
}

async function bench(database: FarmDatabase): Promise<void> {
  const store = new Store(database);
  const wakes = { publish: () => Promise.resolve(), subscribe: () => () => undefined } as unknown as Wakes;
  const clock = new Clock();
  const work = new Work(store, wakes, clock);
  const agents = Array.from({ length: AGENTS }, () => newId('a'));
  const jobs = await fill(database, agents);
  const agentRow = { id: agents[0]! } as Parameters<Replication['wantedOf']>[0];
  const replication = new Replication(store, work, wakes, clock);

  const measure = async (before: (turn: number) => Promise<void>): Promise<readonly number[]> => {
    const took: number[] = [];
    for (let turn = 0; turn < REQUESTS; turn += 1) {
      await before(turn);
      const startedAt = performance.now();
      await replication.wantedOf(agentRow);
      took.push(performance.now() - startedAt);
    }
    return took;
  };
  await replication.pass();
  head(
    `(e) replicas wanted of one agent: ${AGENTS} agents and jobs, ${AGENTS * CHECKPOINTS * 2} checkpoints on record, ${DATABASE}`,
  );
  const same = await measure(() => Promise.resolve());
  row('nothing has changed, p50', ms(percentile(same, 0.5)), '< 20 ms');
  row('  p99', ms(percentile(same, 0.99)));
  const changed = await measure(async (turn) => {
    const { build, host, buddy } = jobs[turn % jobs.length]!;
    const [newest] = checkpointsOf(build, CHECKPOINTS - 1).slice(-1);
    await replication.held(
      { id: turn % 2 === 0 ? buddy : host, name: 'x' } as Parameters<Replication['held']>[0],
      { area: `${build}.default` as never, holding: holdingOf(newest!), from: 'x', bytes: 1, ms: 1 },
    );
  });
  row('a copy has come just before, p50', ms(percentile(changed, 0.5)), '< 20 ms');
  row('  p99', ms(percentile(changed, 0.99)));
  const startedAt = performance.now();
  await Promise.all(agents.map(async () => await replication.wantedOf(agentRow)));
  row('all agents ask at once: until the last has its answer', ms(performance.now() - startedAt));
  await database.db.deleteFrom('checkpoints').where('agent_id', 'in', agents.slice(0, 500)).execute();
  const passAt = performance.now();
  await replication.pass();
  row('half of all copies are gone: a pass', ms(performance.now() - passAt), '< 500 ms');
}

function holdingOf({ id, lineage, workspace, label, previous, takenAt }: CheckpointRow) {
  return { id, lineage, workspace, label, previous, takenAt };
}

function checkpointsOf(build: BuildId, count: number): readonly CheckpointRow[] {
  const lineage = lineageOf(build, 'default', 0, 0);
  return Array.from({ length: count + 1 }, (_, at) => ({
    agentId: 'a' as AgentId,
    id: `${build}@${at}`,
    buildId: build,
    variant: 'default',
    lineage,
    workspace: 'build_data',
    label: `.step_${at}`,
    previous: at === 0 ? '' : `${build}@${at - 1}`,
    takenAt: 1_000_000 + at,
    key: null,
  }));
}

async function fill(database: FarmDatabase, agents: readonly AgentId[]): Promise<readonly Job[]> {
  const now = Date.now();
  const jobs = agents.map((host, at): Job => ({
    build: newId('b'),
    host,
    buddy: agents[(at + 1) % agents.length]!,
  }));
  await database.db.transaction().execute(async (tx) => {
    await insertManifest(tx, 'digest', 'manifest');
    for (const [at, id] of agents.entries()) {
      await insertAgent(tx, { id, name: `agent${at}`, keyHash: id, facts: ANNOUNCED }, now);
      await recordHello(
        tx,
        id,
        { instance: '0'.repeat(32), facts: ANNOUNCED, peer: { host: 'localhost', port: 1 } },
        now,
      );
      await recordHeartbeat(tx, id, HEARTBEAT, now);
    }
    for (const { build, host } of jobs) await begin(tx, build, host, now);
    for (const agent of agents) {
      const held = jobs.filter((job) => job.host === agent || job.buddy === agent);
      await replaceCheckpoints(
        tx,
        agent,
        // The newest is on its way of one in ten.
        held.flatMap(({ build, buddy }, at) =>
          checkpointsOf(build, CHECKPOINTS - (buddy === agent && at % 10 === 0 ? 2 : 1)),
        ),
      );
    }
  });
  return jobs;
}

/** A build of one job, which the agent runs. */
async function begin(db: Transaction<Schema>, build: BuildId, host: AgentId, now: number): Promise<void> {
  const [variant, job, attempt] = [newId('v'), newId('j'), newId('t')];
  await insertBuild(db, { ...BUILD, id: build, created_at: now }, [
    { id: variant, build_id: build, name: 'default', plan_content_sha256: '', optional: 0, keys_wait: 0 },
  ]);
  await insertJobs(db, [{ ...JOB, id: job, build_id: build, variant_id: variant }], [], []);
  const lineage = lineageOf(build, 'default', 0, 0);
  const leaseUntil = now + 1_000_000;
  await insertAttempt(db, {
    id: attempt,
    job,
    build,
    number: 1,
    epoch: 1,
    agent: host,
    lineage,
    now,
    leaseUntil,
  });
  await claimAttempt(db, { id: attempt, epoch: 1, agent: host, tokenHash: '', now, leaseUntil });
}
