// Needs PostgreSQL's server programs (Debian: postgresql), setpriv and flock; root, or a user that PostgreSQL accepts.
import { describe, expect, it } from '@jest/globals';
import { newId, type AskId, type BuildId, type JobId, type VariantId } from '#libs/contracts';
import {
  answerAsk,
  askOnce,
  buildsWaitingForKeys,
  dropKeys,
  findAsk,
  findJob,
  fingerprintsOf,
  forgetAsks,
  insertStepFingerprints,
  keysOfJobs,
  openAsks,
  outputsOfFingerprints,
  releaseAsks,
  replaceAsk,
  setKeysWait,
  takeAsk,
  writeKeys,
  type Db,
  type FingerprintRequestRecord,
} from '#libs/store';
import { describeEachDatabase } from '../../libs/store/src/testing.js';
import { aBuild, aJob, anAgent, digest } from '../support/store-rows.js';

const REQUEST: FingerprintRequestRecord = {
  ...{ manifestSha256: digest('manifest'), manifestPath: 'live.xml', files: [], variant: 'v', step: 'im-pop' },
  ...{ sourceDateEpoch: 0, planContentSha256: '', onAgent: null },
  requires: { architecture: 'amd64', labels: [], tools: [], freeBytes: 0 },
};
const [OUTPUT, OTHER] = [digest('output'), digest('other')];

const ask = async (db: Db, now: number, since = 0, question = 'question'): Promise<AskId> =>
  await askOnce(db, { id: newId('f'), digest: digest(question), request: REQUEST }, since, now);

interface Variant {
  readonly build: BuildId;
  readonly job: JobId;
  readonly variant: VariantId;
}

async function aVariant(db: Db, id: AskId): Promise<Variant> {
  const build = await aBuild(db, 'waiting');
  const job = await aJob(db, build);
  const variant = (await findJob(db, job))!.variant_id;
  await insertStepFingerprints(db, [{ variant_id: variant, index: 3, step: 'im-pop', ask_id: id }]);
  return { build, job, variant };
}

describeEachDatabase('fingerprints', (open) => {
  describe('an ask', () => {
    it('is the same while it is open, and for a while when it was answered well', async () => {
      const { db } = await open();
      const mill = await anAgent(db, 'mill');
      const first = await ask(db, 100);
      expect(await ask(db, 900_000, 899_999)).toBe(first);
      expect(await ask(db, 100, 0, 'another')).not.toBe(first);
      await takeAsk(db, (await findAsk(db, first))!, mill.id, 200);
      expect(await answerAsk(db, first, mill.id, { output: OUTPUT }, 300)).toBe(true);
      expect(await ask(db, 400, 99)).toBe(first);
      const second = await ask(db, 400, 100);
      expect(second).not.toBe(first);
      await takeAsk(db, (await findAsk(db, second))!, mill.id, 500);
      await answerAsk(db, second, mill.id, { failure: 'no route' }, 600);
      expect([first, second]).not.toContain(await ask(db, 600, 400));
    });

    it('is taken by one of many, and answered by that one once', async () => {
      const { db } = await open();
      const agents = await Promise.all(['mill', 'tank', 'vat'].map(async (name) => await anAgent(db, name)));
      const id = await ask(db, 100);
      const seen = (await openAsks(db))[0]!;
      expect(seen).toMatchObject({ id, request: REQUEST, agent_id: null });
      const taken = await Promise.all(agents.map(async (agent) => await takeAsk(db, seen, agent.id, 200)));
      expect(taken.filter(Boolean)).toHaveLength(1);
      const holder = agents[taken.indexOf(true)]!;
      const others = agents.filter((agent) => agent !== holder);
      for (const other of others)
        expect(await answerAsk(db, id, other.id, { output: OTHER }, 300)).toBe(false);
      expect((await openAsks(db, holder.id)).map((each) => each.id)).toEqual([id]);
      expect(await answerAsk(db, id, holder.id, { output: OUTPUT }, 300)).toBe(true);
      expect(await answerAsk(db, id, holder.id, { output: OTHER }, 400)).toBe(false);
      expect(await findAsk(db, id)).toMatchObject({ output: OUTPUT, answered_at: 300 });
      expect(await openAsks(db)).toEqual([]);
    });

    it('is open still when its agent could not run it, and nobody’s when that was restarted', async () => {
      const { db } = await open();
      const [mill, tank] = [await anAgent(db, 'mill'), await anAgent(db, 'tank')];
      const id = await ask(db, 100);
      await takeAsk(db, (await findAsk(db, id))!, mill.id, 200);
      expect(await answerAsk(db, id, mill.id, { unable: 'no disk' }, 300)).toBe(true);
      const unable = (await openAsks(db))[0]!;
      expect(unable).toMatchObject({ agent_id: mill.id, unable: 'no disk', answered_at: null });
      expect(await takeAsk(db, unable, tank.id, 400)).toBe(true);
      expect(await findAsk(db, id)).toMatchObject({ agent_id: tank.id, unable: null });
      await releaseAsks(db, mill.id);
      expect(await findAsk(db, id)).toMatchObject({ agent_id: tank.id });
      await releaseAsks(db, tank.id);
      expect(await findAsk(db, id)).toMatchObject({ agent_id: null, taken_at: null });
    });

    it('is forgotten when it is old and of no build', async () => {
      const { db } = await open();
      const [planned, submitted] = [await ask(db, 100, 0, 'planned'), await ask(db, 100, 0, 'submitted')];
      await aVariant(db, submitted);
      await forgetAsks(db, 100);
      expect(await findAsk(db, planned)).not.toBeNull();
      await forgetAsks(db, 101);
      expect([await findAsk(db, planned), (await findAsk(db, submitted))?.id]).toEqual([null, submitted]);
    });
  });

  describe('a variant', () => {
    it('waits for its keys until they are there', async () => {
      const { db } = await open();
      const mill = await anAgent(db, 'mill');
      const id = await ask(db, 100);
      const { build, variant } = await aVariant(db, id);
      expect(await buildsWaitingForKeys(db)).toEqual([]);
      await setKeysWait(db, [variant], 1);
      expect(await buildsWaitingForKeys(db)).toEqual([build]);
      expect(await fingerprintsOf(db, [build], { keysWait: true })).toMatchObject([
        { build, variantId: variant, isOptional: false, index: 3, step: 'im-pop', ask: { id, request: REQUEST } },
      ]);
      await takeAsk(db, (await findAsk(db, id))!, mill.id, 200);
      await answerAsk(db, id, mill.id, { output: OUTPUT }, 300);
      expect(await outputsOfFingerprints(db, variant)).toEqual(new Map([[3, OUTPUT]]));
      await setKeysWait(db, [variant], 0);
      expect(await fingerprintsOf(db, [build], { keysWait: true })).toEqual([]);
      expect(await fingerprintsOf(db, [build])).toHaveLength(1);
      const again = await ask(db, 900, 800);
      await replaceAsk(db, { variant_id: variant, index: 3 }, again);
      expect(await outputsOfFingerprints(db, variant)).toEqual(new Map());
    });

    it('has the keys that were written last, until they are dropped', async () => {
      const { db } = await open();
      const { job } = await aVariant(db, await ask(db, 100));
      const keyAt = (position: number) => ({ job_id: job, position, key: digest(String(position)) });
      await writeKeys(db, new Map([[job, null]]), [keyAt(1)]);
      await writeKeys(db, new Map([[job, digest('end')]]), [1, 2, 3].map(keyAt));
      expect((await keysOfJobs(db, [job])).get(job)?.map(({ position }) => position)).toEqual([1, 2, 3, 4]);
      await dropKeys(db, job, 3);
      expect((await keysOfJobs(db, [job])).get(job)?.map(({ position }) => position)).toEqual([1, 2]);
      expect(await findJob(db, job)).toMatchObject({ end_key: null });
    });
  });
});
