import { expect, it } from '@jest/globals';
import { newId, type AttemptId } from '#libs/contracts';
import {
  claimAttempt,
  endAttemptStep,
  findAttempt,
  findJob,
  hashSecret,
  insertAttempt,
  insertCheckpoint,
  insertJobs,
  lineageOf,
  migrate,
  openDatabase,
  reuseSteps,
  startAttemptStep,
  stepsOfJob,
  transact,
  type FarmDatabase,
} from '#libs/store';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepStepsInFront } from '../../apps/coordinator/src/attempts/keep-steps.js';
import { aBuild, aJob, anAgent } from '../support/store-rows.js';

async function withDatabase(work: (database: FarmDatabase) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'keep-steps-'));
  const database = await openDatabase({ kind: 'sqlite', path: join(folder, 'farm.db') });
  try {
    await migrate(database);
    await work(database);
  } finally {
    await database.close();
    await rm(folder, { recursive: true });
  }
}

it('a step counts as run by the attempt whose checkpoints the job goes on from, though another attempt had taken its state over', async () => {
  await withDatabase(async ({ db }) => {
    const [build, other] = [await aBuild(db, 'running'), await aBuild(db, 'succeeded')];
    const job = await aJob(db, build);
    const { id: agent } = await anAgent(db, 'mill');
    const waiting = { job_id: job, message: '', state: 'waiting', outcome: null, reused_from: null } as const;
    const never = { started_at: null, ended_at: null, attempt_id: null };
    const steps = ['a', 'b'].map((name, index) => ({ ...waiting, ...never, name, index }));
    await insertJobs(db, [], steps, []);
    const { index, generation } = (await findJob(db, job))!;
    const lineage = lineageOf(build, 'v0', index, generation);

    const attempts = [newId('t'), newId('t')] as [AttemptId, AttemptId];
    for (const [at, id] of attempts.entries()) {
      const epoch = at + 1;
      const of = { id, job, build, agent, epoch, number: epoch, lineage, fetchUpTo: null };
      await insertAttempt(db, { ...of, now: 1, leaseUntil: 9 });
      await claimAttempt(db, { id, epoch, agent, tokenHash: hashSecret(id), now: at * 100, leaseUntil: 9 });
    }
    const [ran, next] = attempts;
    await startAttemptStep(db, ran, 0, 10);
    await endAttemptStep(db, ran, 0, 20, { kind: 'succeeded' });
    const place = {
      agentId: agent,
      buildId: build,
      variant: 'v0',
      lineage,
      workspace: 'build_data',
      key: null,
    };
    await insertCheckpoint(db, { ...place, id: '1', label: '.step_a', previous: '', takenAt: 5 });
    await insertCheckpoint(db, { ...place, id: '2', label: '.step_b', previous: '1', takenAt: 21 });

    // One between them, which was lost, had begun with what another build had.
    await reuseSteps(db, job, other, 1);
    const attempt = (await findAttempt(db, next))!;
    await transact(
      db,
      async (tx) => await keepStepsInFront(tx, attempt, 'v0', { before: 1, checkpoint: '2' }),
    );
    expect((await stepsOfJob(db, job))[0]).toMatchObject({
      ...{ name: 'a', state: 'succeeded', attempt_id: ran, reused_from: null, started_at: 10, ended_at: 20 },
    });
  });
});

it('a step whose state was taken over stays the other build’s', async () => {
  await withDatabase(async ({ db }) => {
    const [build, other] = [await aBuild(db, 'running'), await aBuild(db, 'succeeded')];
    const job = await aJob(db, build);
    const { id: agent } = await anAgent(db, 'mill');
    const steps = ['a', 'b'].map((name, index) => ({
      ...{
        job_id: job,
        message: '',
        state: 'waiting' as const,
        outcome: null,
        reused_from: null,
        name,
        index,
      },
      ...{ started_at: null, ended_at: null, attempt_id: null },
    }));
    await insertJobs(db, [], steps, []);
    const lineage = lineageOf(build, 'v0', 0, 1);
    const id = newId('t');
    const of = { id, job, build, agent, epoch: 1, number: 1, lineage, fetchUpTo: null };
    await insertAttempt(db, { ...of, now: 1, leaseUntil: 9 });
    const place = {
      agentId: agent,
      buildId: build,
      variant: 'v0',
      lineage,
      workspace: 'build_data',
      key: null,
    };
    await insertCheckpoint(db, { ...place, id: '2', label: '.step_b', previous: '', takenAt: 21 });
    await reuseSteps(db, job, other, 1);
    const attempt = (await findAttempt(db, id))!;
    await transact(
      db,
      async (tx) => await keepStepsInFront(tx, attempt, 'v0', { before: 1, checkpoint: '2' }),
    );
    expect((await stepsOfJob(db, job))[0]).toMatchObject({ state: 'succeeded', reused_from: other });
  });
});
