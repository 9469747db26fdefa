import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { areasConformance } from '../areas-conformance.js';
import { DirectoryAreas } from './directory-areas.js';

areasConformance(async () => {
  const root = await mkdtemp(join(tmpdir(), 'directory-areas-'));
  return {
    areas: new DirectoryAreas({ root, layout: ['pkg_image', 'tmp'] }),
    root,
    makeForeign: async (name) => {
      await mkdir(join(root, name));
      await writeFile(join(root, name, 'precious'), 'x');
      return join(root, name);
    },
    cleanup: async () => rm(root, { recursive: true }),
  };
});

describe('the first checkpoint of a fork of another area', () => {
  const [FROM, INTO] = ['from', 'into'] as const;
  let root: string;
  let areas: DirectoryAreas;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'directory-areas-'));
    areas = new DirectoryAreas({ root, layout: ['tmp'] });
  });
  afterEach(async () => rm(root, { recursive: true }));

  const start = async (): Promise<void> => {
    const { store } = await areas.open(FROM);
    const { path } = await store.startEmpty('main');
    for (const name of ['one', 'two', 'three']) await writeFile(join(path, 'tmp', name), name);
    const checkpoint = await store.take('main', 'a', {});
    // Files that have just been written are not relied on.
    const later = Date.now() + 60_000;
    const clock = jest.spyOn(Date, 'now').mockReturnValue(later);
    await areas.fork({ area: FROM, checkpoint }, { area: INTO, workspace: 'main' });
    clock.mockRestore();
    await writeFile(join(root, INTO, 'main/tmp/two'), 'other');
  };
  const kept = (area: string, label: string, name: string): string =>
    join(root, area, '.checkpoints/main', label, 'tree/tmp', name);
  const sharedFiles = async (): Promise<readonly boolean[]> => {
    const inode = async (path: string): Promise<number> => (await stat(path)).ino;
    const names = ['one', 'two', 'three'];
    return await Promise.all(
      names.map(
        async (name) => (await inode(kept(FROM, 'a', name))) === (await inode(kept(INTO, 'b', name))),
      ),
    );
  };

  it('shares with that area’s what did not change, and keeps it when that goes', async () => {
    await start();
    await (await areas.open(INTO)).store.take('main', 'b', {});
    expect(await sharedFiles()).toEqual([true, false, true]);
    await areas.destroy(FROM);
    expect(await readFile(kept(INTO, 'b', 'one'), 'utf8')).toBe('one');
  });

  it('is a copy where that has gone, or is another one', async () => {
    await start();
    const { store } = await areas.open(FROM);
    await store.startEmpty('main');
    await writeFile(join(root, FROM, 'main/tmp/one'), 'another');
    await store.take('main', 'a', {});
    await (await areas.open(INTO)).store.take('main', 'b', {});
    expect(await readFile(kept(INTO, 'b', 'one'), 'utf8')).toBe('one');
    expect(await readFile(kept(INTO, 'b', 'two'), 'utf8')).toBe('other');
  });
});
