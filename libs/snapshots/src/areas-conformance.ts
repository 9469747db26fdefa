import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Areas } from './areas.js';

export interface AreasUnderTest {
  readonly areas: Areas;
  /** Folder that the areas are seen in. */
  readonly root: string;
  /** Makes something in the place of an area that is not ours, with a file `precious` in it; resolves to its folder. */
  readonly makeForeign: (name: string) => Promise<string>;
  readonly cleanup: () => Promise<void>;
}

/** What every backend of Areas must do. Layout of the workspaces: `tmp`. */
export function areasConformance(make: () => Promise<AreasUnderTest>): void {
  const [ONE, TWO] = ['b-0000000001.default', 'b-0000000002.v'];
  let under: AreasUnderTest;
  beforeEach(async () => {
    under = await make();
  });
  afterEach(async () => under.cleanup());

  describe('areas', () => {
    it('are made when opened, listed, and gone when destroyed', async () => {
      const { areas, root } = under;
      expect(await areas.list()).toEqual([]);
      const { path } = await areas.open(ONE);
      await areas.open(TWO);
      await areas.open(ONE);
      expect([...(await areas.list())].toSorted()).toEqual([ONE, TWO]);
      await mkdir(join(path, 'media.0'));
      await areas.destroy(ONE);
      await areas.destroy(ONE);
      expect(await areas.list()).toEqual([TWO]);
      expect(existsSync(join(root, ONE))).toBe(false);
      await areas.destroy(TWO);
    });

    it('have workspaces and checkpoints of their own, which outlive a rest', async () => {
      const { areas } = under;
      const [one, two] = [await areas.open(ONE), await areas.open(TWO)];
      const { path } = await one.store.startEmpty('build_data');
      await writeFile(join(path, 'tmp/a'), 'one');
      const end = await one.store.take('build_data', '.end', { build: 'x' });
      await one.store.startFrom(end, 'build_data.a');
      await two.store.startEmpty('build_data');
      expect([...(await areas.workspaces(ONE))].toSorted()).toEqual(['build_data', 'build_data.a']);
      expect(await areas.workspaces('b-0000000003.default')).toEqual([]);
      await areas.rest(ONE);
      await areas.rest(ONE);
      const again = await one.store.startFrom(end, 'build_data');
      expect(await readFile(join(again.path, 'tmp/a'), 'utf8')).toBe('one');
      await one.store.startFrom(end, 'build_data.b');
      await areas.destroy(ONE);
      expect(await areas.workspaces(TWO)).toEqual(['build_data']);
      await areas.destroy(TWO);
    });

    it('leave alone what is not theirs', async () => {
      const { areas } = under;
      const path = await under.makeForeign(ONE);
      await expect(areas.open(ONE)).rejects.toMatchObject({ code: 'FOREIGN_DATA' });
      await expect(areas.destroy(ONE)).rejects.toMatchObject({ code: 'FOREIGN_DATA' });
      expect(await areas.list()).toEqual([]);
      expect(existsSync(join(path, 'precious'))).toBe(true);
    });

    it('take no names that lead elsewhere', async () => {
      for (const name of ['..', 'a/b', '', '-x', '.x']) {
        await expect(under.areas.open(name)).rejects.toMatchObject({ code: 'FAILED' });
      }
    });

    it('know the room they share', async () => {
      const { areas } = under;
      const { path } = await areas.open(ONE);
      expect((await areas.space()).freeBytes).toBeGreaterThan(0);
      await rm(path, { recursive: true });
    });
  });
}
