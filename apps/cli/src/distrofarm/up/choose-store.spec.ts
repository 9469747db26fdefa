import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseStore } from './choose-store.js';
import { openFarmFolder, rememberedStore, type FarmFolder } from './farm-folder.js';

let folder: FarmFolder;
beforeEach(async () => {
  folder = await openFarmFolder(await mkdtemp(join(tmpdir(), 'choose-store-')));
});
afterEach(() => rm(folder.root, { recursive: true }));

const withPool = async (): Promise<boolean> => Promise.resolve(true);
const withoutPool = async (): Promise<boolean> => Promise.resolve(false);

describe('chooseStore', () => {
  it('takes a dataset of the pool "distrofarm"', async () => {
    expect(await chooseStore(folder, null, withPool)).toEqual({
      place: 'distrofarm/up',
      words: 'ZFS dataset distrofarm/up',
    });
  });

  it('takes a folder where there is no such pool, and says why', async () => {
    const { place, words } = await chooseStore(folder, null, withoutPool);
    expect(place).toBe(folder.areas);
    expect(words).toContain('there is no ZFS pool "distrofarm"');
  });

  it('stays with the one of the last time, where the checkpoints are', async () => {
    await chooseStore(folder, null, withoutPool);
    expect((await chooseStore(folder, null, withPool)).place).toBe(folder.areas);
  });

  it('takes the one asked for, and says what is left behind', async () => {
    await chooseStore(folder, null, withPool);
    expect(await chooseStore(folder, '/srv/areas', withPool)).toEqual({
      place: '/srv/areas',
      words: 'copies in /srv/areas; the checkpoints in distrofarm/up are not used',
    });
    expect(await rememberedStore(folder)).toBe('/srv/areas');
  });
});
