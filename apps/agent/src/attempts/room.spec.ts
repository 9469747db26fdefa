import type { AreaName, AskRoom } from '#libs/contracts';
import { SnapshotStoreError } from '#libs/engine';
import { ApiError } from '#libs/http-client';
import { describe, expect, it } from '@jest/globals';
import { Room } from './room.js';

const MB = 1_000_000;
const AREA = 'b-0000000001.default' as AreaName;

/** A store with so much free, in which `AREA` holds so much, which may go or not. */
function scene(freeBytes: number, holds: number, { mayGo = true } = {}) {
  const asked: AskRoom[] = [];
  const said: string[] = [];
  let free = freeBytes;
  let held = holds;
  const room = new Room({
    ask: (body) => {
      asked.push(body);
      return Promise.resolve({ drop: mayGo && held > 0 ? [AREA] : [] });
    },
    drop: () => {
      free += held;
      held = 0;
      return Promise.resolve();
    },
    space: () => Promise.resolve({ freeBytes: free, usedBytes: 0 }),
    note: () => undefined,
    warn: (text) => said.push(text),
    settleMs: 0,
  });
  const refill = (bytes: number): void => {
    held = bytes;
  };
  return { room, asked, said, refill };
}

describe('room for a step', () => {
  it.each<[string, number, number, boolean, number]>([
    ['is there', 100, 0, true, 0],
    ['is made', 60, 40, true, 1],
    ['is not enough', 60, 39, false, 1],
    ['cannot be made', 60, 0, false, 1],
  ])('%s', async (_, free, holds, expected, asks) => {
    const { room, asked } = scene(free, holds);
    expect(await room.reach(100)).toBe(expected);
    expect(asked).toEqual(
      Array.from({ length: asks }, () => ({ freeBytes: free, wantedBytes: 100, leastBytes: 100 })),
    );
  });

  it('is none where the coordinator refuses', async () => {
    const room = new Room({
      ask: () => Promise.reject(new ApiError('STALE_EPOCH', 409, 'over', null, [], null)),
      drop: () => Promise.reject(new Error('nothing goes')),
      space: () => Promise.resolve({ freeBytes: 1, usedBytes: 0 }),
      note: () => undefined,
      warn: () => undefined,
    });
    expect(await room.reach(2)).toBe(false);
  });
});

describe('what filled the store', () => {
  it.each<[string, number, boolean]>([
    ['is tried again with a quarter more', 25 * MB, true],
    ['is not for less', 25 * MB - 1, false],
    ['is not where nothing may go', 0, false],
  ])('%s', async (_, holds, expected) => {
    // Nothing is free at the moment: it has not been undone.
    const { room, asked, said } = scene(0, holds);
    expect(await room.isWorthAnotherTry(100 * MB, 'the disk is full')).toBe(expected);
    expect(asked).toEqual([{ freeBytes: 100 * MB, wantedBytes: 200 * MB, leastBytes: 125 * MB }]);
    expect(said).toEqual(expected ? ['the store was full; 25 MB of room were made; trying again'] : []);
  });

  it('is tried twice more at the most', async () => {
    const { room, refill } = scene(0, 100 * MB);
    const tries: boolean[] = [];
    for (let at = 0; at < 3; at += 1) {
      tries.push(await room.isWorthAnotherTry(100 * MB, ''));
      refill(100 * MB);
    }
    expect(tries).toEqual([true, true, false]);
  });
});

describe('what changes nothing when it fails', () => {
  const full = new SnapshotStoreError('NO_SPACE', 'full');
  it('is done again with more room', async () => {
    const { room } = scene(10, 90);
    let calls = 0;
    const act = (): Promise<number> => {
      calls += 1;
      return calls < 2 ? Promise.reject(full) : Promise.resolve(calls);
    };
    expect(await room.trying(act)).toBe(2);
  });

  it.each([
    ['without', full, 1],
    ['by anything else', new SnapshotStoreError('BUSY', 'busy'), 0],
  ])('fails %s', async (_, error, asks) => {
    const { room, asked } = scene(10, 90, { mayGo: false });
    await expect(room.trying(() => Promise.reject(error))).rejects.toBe(error);
    expect(asked).toHaveLength(asks);
  });
});
