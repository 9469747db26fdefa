import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmod, mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findAltered, MediaTrail, type MediaEntry } from './media-trail.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'media-trail-'));
});
afterEach(async () => rm(folder, { recursive: true }));

const at = (...names: readonly string[]): string => join(folder, ...names);
const names = (entries: readonly MediaEntry[]): readonly string[] => entries.map(([path]) => path);

async function trailOf(...steps: readonly (() => Promise<unknown>)[]): Promise<MediaTrail> {
  const trail = new MediaTrail(folder);
  await trail.begin([]);
  for (const step of steps) {
    await step();
    await trail.seeChanges();
  }
  return trail;
}

describe('MediaTrail', () => {
  it('has what the steps wrote, and nothing that was there', async () => {
    await writeFile(at('old.iso'), 'old');
    const { entries } = await trailOf(
      async () => writeFile(at('a.iso'), 'a'),
      async () => mkdir(at('list')),
      async () => writeFile(at('list', 'packages'), 'vim'),
    );
    expect(names(entries)).toEqual(['a.iso', 'list', 'list/packages']);
  });

  it('has the last word on a file: written again, or removed', async () => {
    const one = await trailOf(async () => writeFile(at('a'), '1'));
    const other = await trailOf(async () => writeFile(at('a'), '2'));
    expect(other.entries).not.toEqual(one.entries);
    const removed = await trailOf(
      async () => writeFile(at('b'), '1'),
      async () => rm(at('b')),
    );
    expect(removed.entries).toEqual([]);
  });

  it('goes on from what was written before', async () => {
    const { entries } = await trailOf(async () => writeFile(at('a'), '1'));
    const trail = new MediaTrail(folder);
    await trail.begin(entries);
    await writeFile(at('b'), '2');
    await trail.seeChanges();
    expect(names(trail.entries)).toEqual(['a', 'b']);
  });
});

describe('findAltered', () => {
  async function written(): Promise<readonly MediaEntry[]> {
    const trail = await trailOf(async () => {
      await mkdir(at('d'));
      await writeFile(at('d', 'f'), 'text');
      await symlink('d', at('link'));
    });
    return trail.entries;
  }

  it('finds nothing where nothing changed, whatever else is there', async () => {
    const entries = await written();
    await writeFile(at('other'), 'other');
    await utimes(at('d', 'f'), 1, 1);
    expect(await findAltered(folder, entries)).toBeNull();
  });

  it.each<[string, () => Promise<unknown>, string]>([
    ['written', async () => writeFile(at('d', 'f'), 'TEXT'), 'd/f'],
    ['removed', async () => rm(at('d', 'f')), 'd/f'],
    ['given another mode', async () => chmod(at('d', 'f'), 0o600), 'd/f'],
    ['made a link', async () => rename(at('d'), at('e')).then(() => symlink('e', at('d'))), 'd'],
    ['led elsewhere', async () => rm(at('link')).then(() => symlink('e', at('link'))), 'link'],
  ])('finds what was %s', async (_, change, path) => {
    const entries = await written();
    await change();
    expect(await findAltered(folder, entries)).toBe(path);
  });

  it('finds that the folder is gone', async () => {
    expect(await findAltered(at('none'), await written())).toBe('d');
  });
});
