// Needs PostgreSQL's server programs (Debian: postgresql), setpriv and flock; root, or a user that PostgreSQL accepts.
import { describe, expect, it } from '@jest/globals';
import { newId, type AgentId, type BuildId } from '#libs/contracts';
import {
  answerListing,
  checkpointsOfId,
  countOpenListings,
  findListing,
  forgetListings,
  insertBlob,
  insertCheckpoint,
  listingsOfCheckpoint,
  openListingsFor,
  releaseListings,
  takeListing,
  unreferencedBlobs,
  wantListing,
  type Db,
  type ListedCheckpoint,
  type ListingRow,
} from '#libs/store';
import { describeEachDatabase } from '../../libs/store/src/testing.js';
import { aBuild, anAgent, digest } from '../support/store-rows.js';

const FOUND = { sha256: digest('listing'), entries: 3, bytes: 1e12 };

async function aCheckpoint(db: Db, ...agents: readonly AgentId[]): Promise<ListedCheckpoint> {
  const buildId = await aBuild(db, 'succeeded');
  const checkpoint = { id: '77', buildId, variant: 'de', workspace: 'build_data', label: '.step_x' };
  for (const agentId of agents)
    await insertCheckpoint(db, {
      ...checkpoint,
      ...{ agentId, lineage: `${buildId}/de/0/g1`, previous: '', takenAt: 5, key: null },
    });
  return checkpoint;
}

const want = async (db: Db, of: ListedCheckpoint, now: number, failedBefore = 0): Promise<ListingRow> =>
  await wantListing(db, newId('l'), of, now, failedBefore);

describeEachDatabase('listings', (open) => {
  describe('an ask', () => {
    it('is one for a checkpoint, which those are asked who hold it', async () => {
      const { db } = await open();
      const [mill, tank, other] = [
        await anAgent(db, 'mill'),
        await anAgent(db, 'tank'),
        await anAgent(db, 'x'),
      ];
      const checkpoint = await aCheckpoint(db, mill.id, tank.id);
      const first = await want(db, checkpoint, 100);
      const again = await want(db, checkpoint, 200);
      expect([again.id, again.asked_at, again.wanted_at]).toEqual([first.id, 100, 200]);
      expect(await countOpenListings(db)).toBe(1);
      for (const [agent, asks] of [
        [mill, [first.id]],
        [tank, [first.id]],
        [other, []],
      ] as const)
        expect((await openListingsFor(db, agent.id)).map(({ id }) => id)).toEqual(asks);
      expect((await checkpointsOfId(db, '77')).map(({ agentId }) => agentId).toSorted()).toEqual(
        [mill.id, tank.id].toSorted(),
      );
      // Another build's of the same id is another one.
      const elsewhere = { ...checkpoint, buildId: 'b-0000000000' as BuildId };
      expect((await want(db, elsewhere, 100)).id).not.toBe(first.id);
    });

    it('is taken by one, answered by that one, and once', async () => {
      const { db } = await open();
      const [mill, tank] = [await anAgent(db, 'mill'), await anAgent(db, 'tank')];
      const row = await want(db, await aCheckpoint(db, mill.id, tank.id), 100);
      expect(await takeListing(db, row, mill.id, 200)).toBe(true);
      expect(await takeListing(db, row, tank.id, 200)).toBe(false);
      expect(await answerListing(db, row.id, tank.id, FOUND, 300)).toBe(false);
      expect(await answerListing(db, row.id, mill.id, FOUND, 300)).toBe(true);
      expect(await answerListing(db, row.id, mill.id, { failure: 'late' }, 400)).toBe(false);
      expect(await findListing(db, row.id)).toMatchObject({ ...FOUND, failure: null, answered_at: 300 });
      expect(await countOpenListings(db)).toBe(0);
      expect((await listingsOfCheckpoint(db, '77')).map(({ id }) => id)).toEqual([row.id]);
    });

    it('is free again when who took it was restarted, or cannot', async () => {
      const { db } = await open();
      const [mill, tank] = [await anAgent(db, 'mill'), await anAgent(db, 'tank')];
      const row = await want(db, await aCheckpoint(db, mill.id, tank.id), 100);
      await takeListing(db, row, mill.id, 200);
      await releaseListings(db, tank.id);
      expect((await findListing(db, row.id))?.agent_id).toBe(mill.id);
      await releaseListings(db, mill.id, newId('l'));
      expect((await findListing(db, row.id))?.agent_id).toBe(mill.id);
      await releaseListings(db, mill.id);
      const [free] = await openListingsFor(db, tank.id);
      expect(free).toMatchObject({ agent_id: null, taken_at: null });
      expect(await takeListing(db, free!, tank.id, 300)).toBe(true);
    });

    it('is asked again some time after it failed', async () => {
      const { db } = await open();
      const mill = await anAgent(db, 'mill');
      const checkpoint = await aCheckpoint(db, mill.id);
      const row = await want(db, checkpoint, 100);
      await takeListing(db, row, mill.id, 200);
      await answerListing(db, row.id, mill.id, { failure: 'EIO' }, 300);
      expect(await want(db, checkpoint, 310, 290)).toMatchObject({ id: row.id, failure: 'EIO' });
      expect(await want(db, checkpoint, 400, 350)).toMatchObject({ failure: null, answered_at: null });
    });
  });

  it('keep their bytes while somebody wants them', async () => {
    const { db } = await open();
    const mill = await anAgent(db, 'mill');
    const checkpoint = await aCheckpoint(db, mill.id);
    const row = await want(db, checkpoint, 100);
    await takeListing(db, row, mill.id, 200);
    await insertBlob(db, FOUND, 200);
    await answerListing(db, row.id, mill.id, FOUND, 300);
    const unwanted = async (): Promise<readonly string[]> =>
      (await unreferencedBlobs(db, { before: 1e6, limit: 10 })).map(({ sha256 }) => sha256);
    await want(db, checkpoint, 500);
    await forgetListings(db, 500);
    expect(await unwanted()).toEqual([]);
    await forgetListings(db, 501);
    expect(await unwanted()).toEqual([FOUND.sha256]);
  });
});
