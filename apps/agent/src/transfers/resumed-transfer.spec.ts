// Needs root (the store keeps owners).
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { POSITION_HEADER } from '#libs/contracts';
import { encodeFacts, factsAt, type Checkpoint } from '#libs/plan';
import { DirectoryAreas, type Area } from '#libs/snapshots';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { planOf } from '../../../../libs/plan/src/testing.js';
import { AGENTS, CheckpointTransfers, TRANSFER_AREA } from '../../../../test/support/checkpoint-transfers.js';
import { KeepingStore } from './testing-keeping-store.js';

jest.setTimeout(60_000);

const BYTES = 3_000_000;
const plan = planOf(['a']);

class KeepingAreas extends DirectoryAreas {
  override async open(name: string): Promise<Area> {
    const area = await super.open(name);
    return { ...area, store: new KeepingStore(area.store) };
  }
}

/** Says that it goes on, and does not. */
class StuckStore extends KeepingStore {
  override sendRest(): Promise<Readable> {
    return Promise.resolve(new Readable({ read: () => undefined }).destroy(new Error('no more of it')));
  }
}
class StuckAreas extends DirectoryAreas {
  override async open(name: string): Promise<Area> {
    const area = await super.open(name);
    return { ...area, store: new StuckStore(area.store) };
  }
}

describe('a transfer that broke off', () => {
  let folder: string;
  let transfers: CheckpointTransfers;
  let checkpoint: Checkpoint;

  async function between(Here: typeof DirectoryAreas, There: typeof DirectoryAreas): Promise<void> {
    const [here, there] = [
      new Here({ root: join(folder, 'here'), layout: [] }),
      new There({ root: join(folder, 'there'), layout: [] }),
    ];
    await here.prepare();
    await there.prepare();
    transfers = await CheckpointTransfers.between(here, there);
    const { path } = await transfers.here.store.startEmpty('build_data');
    await writeFile(join(path, 'random'), randomBytes(BYTES));
    const facts = encodeFacts(factsAt(plan.boundaries[0]!, '', plan.digests, 'g1', new Date(1000)));
    checkpoint = await transfers.here.store.take('build_data', '.step_a', facts);
  }
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'resumed-'));
  });
  afterEach(async () => {
    await transfers.stop();
    await rm(folder, { recursive: true });
  });

  async function expectArrival(): Promise<number> {
    const fetched = await transfers.fetch(checkpoint, null);
    expect(fetched).toMatchObject({ checkpoint, from: AGENTS.SOURCE });
    expect(await transfers.there.store.list('build_data')).toEqual([checkpoint]);
    return fetched?.bytes ?? 0;
  }

  it('is gone on with where both can', async () => {
    await between(KeepingAreas, KeepingAreas);
    await transfers.cutAfter(0.6 * BYTES);
    expect(await expectArrival()).toBeLessThan(0.5 * BYTES);
    expect(transfers.failures).toHaveLength(1);
  });

  it('counts what was there already', async () => {
    await between(KeepingAreas, KeepingAreas);
    const { store } = transfers.here;
    async function* half(): AsyncGenerator<Buffer> {
      yield (await buffer(await store.send(checkpoint, null))).subarray(0, BYTES / 2);
      throw new Error('the link is gone');
    }
    const cut = transfers.there.store.receive(checkpoint, null, Readable.from(half()));
    await expect(cut).rejects.toMatchObject({ code: 'BAD_STREAM' });
    const { held, letGo } = await transfers.holdAfter(BYTES / 4);
    const arrival = expectArrival();
    await held;
    while (transfers.bytes < 0.7 * BYTES) await new Promise((later) => setTimeout(later, 10));
    expect(transfers.earlierBytes).toBe(BYTES / 2);
    letGo();
    await arrival;
  });

  it.each<[string, typeof DirectoryAreas, typeof DirectoryAreas]>([
    ['source', DirectoryAreas, KeepingAreas],
    ['receiver', KeepingAreas, DirectoryAreas],
  ])('begins anew where the %s cannot go on', async (_, Here, There) => {
    await between(Here, There);
    await transfers.cutAfter(0.6 * BYTES);
    expect(await expectArrival()).toBeGreaterThan(BYTES);
  });

  it('is gone on with as often as it gets further', async () => {
    await between(KeepingAreas, KeepingAreas);
    await transfers.cutAfter(...Array.from({ length: 5 }, () => 0.1 * BYTES));
    expect(await expectArrival()).toBeLessThan(0.9 * BYTES);
    expect(transfers.failures).toHaveLength(5);
    expect(transfers.tickets.asked.every(({ without }) => without.length === 0)).toBe(true);
  });

  it('begins anew when going on fails again and again', async () => {
    await between(StuckAreas, KeepingAreas);
    await transfers.cutAfter(0.6 * BYTES);
    expect(await expectArrival()).toBeGreaterThan(BYTES);
    expect(transfers.failures).toHaveLength(4);
  });

  it('is not gone on with by a source that says so without being asked', async () => {
    await between(KeepingAreas, KeepingAreas);
    await transfers.lieFirst((response) => {
      const json = Buffer.from(JSON.stringify({ facts: checkpoint.facts, position: 'at5' }));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(json.length);
      const bytes = Buffer.concat([length, json, randomBytes(1000)]);
      response.write(bytes);
      response.end(createHash('sha256').update(bytes).digest());
    });
    expect(await expectArrival()).toBeGreaterThan(BYTES);
    expect(transfers.failures[0]).toMatch(/goes on elsewhere/);
  });

  it.each(['', ' ', 'at0', 'at99999999999', '../../etc', 'x'.repeat(101)])(
    'is sent whole to who asks for the position "%s"',
    async (position) => {
      await between(KeepingAreas, KeepingAreas);
      const { id, workspace, label } = checkpoint;
      const ticket = transfers.tickets.issue({
        ...{ receiver: AGENTS.RECEIVER, area: TRANSFER_AREA, base: null },
        checkpoint: { id, workspace, label },
      });
      expect(await transfers.show(ticket, AGENTS.RECEIVER, { [POSITION_HEADER]: position })).toBe(200);
      expect(transfers.shownBytes).toBeGreaterThan(BYTES);
    },
  );
});
