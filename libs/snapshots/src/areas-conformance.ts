import { SnapshotStore, SnapshotStoreError, type Space, type Workspace } from '#libs/engine';
import type { Checkpoint, CheckpointFacts } from '#libs/plan';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { checkAgainstModel } from '../../engine/src/snapshot-store-model-conformance.js';
import type { Areas } from './areas.js';

const MB = 1_000_000;

export interface AreasUnderTest {
  readonly areas: Areas;
  /** Folder that the areas are seen in. */
  readonly root: string;
  /** Makes something in the place of an area that is not ours, with a file `precious` in it; resolves to its folder. */
  readonly makeForeign: (name: string) => Promise<string>;
  readonly cleanup: () => Promise<void>;
}

/** What every backend of Areas must do. Layout of the workspaces: `tmp` and `pkg_image`. */
export function areasConformance(make: () => Promise<AreasUnderTest>, { modelRuns = 10 } = {}): void {
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

    it('know what each of them takes', async () => {
      const { areas } = under;
      expect(await areas.usedBytes(ONE)).toBe(0);
      const { path } = await (await areas.open(ONE)).store.startEmpty('build_data');
      await areas.open(TWO);
      await writeFile(join(path, 'tmp/a'), randomBytes(8 * MB));
      // A store may lag behind.
      while ((await areas.usedBytes(ONE)) < 8 * MB) await new Promise((later) => setTimeout(later, 100));
      expect(await areas.usedBytes(ONE)).toBeLessThan(9 * MB);
      expect(await areas.usedBytes(TWO)).toBeLessThan(MB);
      await areas.destroy(ONE);
      expect(await areas.usedBytes(ONE)).toBe(0);
    });
  });

  describe('a fork of another area', () => {
    const contents = async (area: string, workspace = MAIN): Promise<string | null> =>
      await readFile(join(under.root, area, workspace, FILE), 'utf8').catch(() => null);
    const write = async (area: string, text: string, workspace = MAIN): Promise<void> =>
      await writeFile(join(under.root, area, workspace, FILE), text);
    const storeOf = async (area: string): Promise<SnapshotStore> => (await under.areas.open(area)).store;
    const labels = async (area: string, workspace = MAIN): Promise<readonly string[]> =>
      (await (await storeOf(area)).list(workspace)).map(({ label }) => label);
    /** A checkpoint at which the workspace's state is what its label says. */
    const take = async (area: string, label: string, workspace = MAIN): Promise<Checkpoint> => {
      await write(area, label, workspace);
      return await (await storeOf(area)).take(workspace, label, { of: area });
    };
    const fork = async (
      area: string,
      checkpoint: Checkpoint,
      into: string,
      workspace = MAIN,
    ): Promise<Workspace> => await under.areas.fork({ area, checkpoint }, { area: into, workspace });
    const start = async (area: string, ...to: readonly string[]): Promise<readonly Checkpoint[]> => {
      await (await storeOf(area)).startEmpty(MAIN);
      const taken: Checkpoint[] = [];
      for (const label of to) taken.push(await take(area, label));
      return taken;
    };
    const isKept = async (area: string): Promise<boolean> => await isKeptBy(under.areas, area);

    it('is equal to the checkpoint, and has nothing of the other area’s', async () => {
      const [a, b] = (await start(FROM, 'a', 'b')) as [Checkpoint, Checkpoint];
      await write(FROM, 'at work');
      const { path } = await fork(FROM, a, INTO);
      expect(path).toBe(join(under.root, INTO, MAIN));
      expect(await contents(INTO)).toBe('a');
      expect(await labels(INTO)).toEqual([]);
      await take(INTO, 'b');
      await write(INTO, 'other work');
      expect(await contents(FROM)).toBe('at work');
      expect(await (await storeOf(FROM)).list(MAIN)).toEqual([a, b]);
      await take(FROM, 'c');
    });

    it('replaces what is there, with what came from that', async () => {
      const [a] = (await start(FROM, 'a')) as [Checkpoint];
      const [old] = (await start(INTO, 'old')) as [Checkpoint];
      await (await storeOf(INTO)).startFrom(old, 'lane');
      await fork(FROM, a, INTO);
      expect(await under.areas.workspaces(INTO)).toEqual([MAIN]);
      expect(await labels(INTO)).toEqual([]);
      await fork(FROM, a, INTO);
      expect(await contents(INTO)).toBe('a');
    });

    it('is one of the same area, where it is', async () => {
      const [a] = (await start(FROM, 'a', 'b')) as [Checkpoint];
      await fork(FROM, a, FROM, 'lane');
      expect(await contents(FROM, 'lane')).toBe('a');
      await fork(FROM, a, FROM);
      expect(await labels(FROM)).toEqual(['a']);
    });

    it('is refused of what is not there, and changes nothing', async () => {
      const [a] = (await start(FROM, 'a')) as [Checkpoint];
      await start(INTO, 'x');
      const gone = { code: 'NOT_FOUND' };
      await expect(fork(FROM, { ...a, id: `${a.id}1` }, INTO)).rejects.toMatchObject(gone);
      await expect(fork(FROM, { ...a, label: 'b' }, INTO)).rejects.toMatchObject(gone);
      await expect(fork(THIRD, a, INTO)).rejects.toMatchObject(gone);
      await under.makeForeign(THIRD);
      await expect(fork(THIRD, a, INTO)).rejects.toMatchObject(gone);
      expect(await labels(INTO)).toEqual(['x']);
      expect(await contents(INTO)).toBe('x');
    });

    it.each<[string, (store: SnapshotStore, a: Checkpoint) => Promise<unknown>, readonly string[] | null]>([
      ['goes back', async (store, a) => await store.startFrom(a, MAIN), ['a']],
      ['begins again', async (store) => await store.startEmpty(MAIN), []],
      ['goes', async (store) => await store.destroy(MAIN), null],
      [
        'is replaced',
        async (store) => {
          await store.startEmpty('lane');
          await store.startFrom(await store.take('lane', 'l', {}), MAIN);
        },
        [],
      ],
    ])('stays when the workspace that it came from %s', async (_, work, left) => {
      const [a, , c] = (await start(FROM, 'a', 'b', 'c')) as [Checkpoint, Checkpoint, Checkpoint];
      await fork(FROM, c, INTO);
      const own = await take(INTO, 'd');
      await write(FROM, 'at work');
      const store = await storeOf(FROM);
      await work(store, a);
      expect(await labels(FROM)).toEqual(left ?? []);
      expect((await under.areas.workspaces(FROM)).includes(MAIN)).toBe(left !== null);
      await write(INTO, 'at work');
      await (await storeOf(INTO)).startFrom(own, MAIN);
      expect(await contents(INTO)).toBe('d');
      await expect(fork(FROM, c, THIRD)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await under.areas.rest(FROM);
      await under.areas.rest(INTO);
      expect(await labels(INTO)).toEqual(['d']);
    });

    it('stays when its origin goes back again and again, behind what others came from', async () => {
      const [a, b] = (await start(FROM, 'a', 'b', 'c', 'd')) as [Checkpoint, Checkpoint];
      const store = await storeOf(FROM);
      await fork(FROM, (await store.list(MAIN))[3]!, INTO);
      await store.startFrom(b, MAIN);
      expect(await contents(FROM)).toBe('b');
      // The same label once more, of something else.
      const second = await take(FROM, 'd');
      await fork(FROM, second, THIRD);
      await store.startFrom(a, MAIN);
      const third = await take(FROM, 'd');
      expect(await store.list(MAIN)).toEqual([a, third]);
      await fork(FROM, third, INTO, 'lane');
      await store.startEmpty(MAIN);
      expect([await contents(FROM), await contents(INTO), await contents(THIRD)]).toEqual([null, 'd', 'd']);
      await under.areas.destroy(INTO);
      await under.areas.destroy(THIRD);
      expect(await start(FROM, 'a', 'd')).toHaveLength(2);
      await under.areas.destroy(FROM);
      expect(await under.areas.list()).toEqual([]);
    });

    it('stays when a lane that it came from falls with its area’s main', async () => {
      const [a] = (await start(FROM, 'a')) as [Checkpoint];
      const store = await storeOf(FROM);
      await store.startFrom(a, 'lane');
      const l = await take(FROM, 'l', 'lane');
      await store.startFrom(l, 'side');
      await fork(FROM, l, INTO);
      await store.startEmpty(MAIN);
      expect(await under.areas.workspaces(FROM)).toEqual([MAIN]);
      expect(await contents(INTO)).toBe('l');
      await store.startEmpty('lane');
      await take(FROM, 'l', 'lane');
    });

    it('may replace what it came from, and come from what replaced that', async () => {
      const [a] = (await start(FROM, 'a')) as [Checkpoint];
      await fork(FROM, a, INTO);
      const b = await take(INTO, 'b');
      await fork(INTO, b, FROM);
      expect(await contents(FROM)).toBe('b');
      const c = await take(FROM, 'c');
      await fork(FROM, c, INTO);
      expect([await contents(INTO), await labels(INTO), await labels(FROM)]).toEqual(['c', [], ['c']]);
      await (await storeOf(FROM)).startFrom(c, MAIN);
      await isKept(FROM);
      await under.areas.destroy(INTO);
      await under.areas.destroy(FROM);
      expect(await under.areas.list()).toEqual([]);
    });

    it.each([
      [FROM, INTO, THIRD],
      [FROM, THIRD, INTO],
      [INTO, FROM, THIRD],
      [INTO, THIRD, FROM],
      [THIRD, FROM, INTO],
      [THIRD, INTO, FROM],
    ])('goes on being there until it goes itself: %s, %s, %s', async (...order) => {
      const [a] = (await start(FROM, 'a', 'z')) as [Checkpoint];
      await fork(FROM, a, INTO);
      await fork(INTO, await take(INTO, 'b'), THIRD);
      await take(THIRD, 'c');
      const kept: string[] = [];
      for (const [at, area] of order.entries()) {
        if (await isKept(area)) kept.push(area);
        expect(await under.areas.workspaces(area)).toEqual([]);
        for (const staying of order.slice(at + 1)) expect(await contents(staying)).not.toBeNull();
      }
      expect(kept).not.toContain(THIRD);
      for (const area of [INTO, FROM]) await under.areas.destroy(area);
      expect(await under.areas.list()).toEqual([]);
    });

    it('may be opened to be read, and leaves nothing behind', async () => {
      const [a, b] = (await start(FROM, 'a', 'b')) as [Checkpoint, Checkpoint];
      await write(FROM, 'at work');
      for (const [checkpoint, content] of [
        [b, 'b'],
        [a, 'a'],
      ] as const) {
        const tree = await under.areas.openTree({ area: FROM, checkpoint });
        expect(await readFile(join(tree.path, FILE), 'utf8')).toBe(content);
        await tree.close();
      }
      expect(await under.areas.list()).toEqual([FROM]);
      expect(await under.areas.workspaces(FROM)).toEqual([MAIN]);
      expect([await contents(FROM), await labels(FROM)]).toEqual(['at work', ['a', 'b']]);
      const gone = { code: 'NOT_FOUND' };
      for (const wrong of [
        { ...a, id: `${a.id}1` },
        { ...a, label: 'c' },
      ])
        await expect(under.areas.openTree({ area: FROM, checkpoint: wrong })).rejects.toMatchObject(gone);
      await expect(under.areas.openTree({ area: THIRD, checkpoint: a })).rejects.toMatchObject(gone);
      expect(await under.areas.list()).toEqual([FROM]);
      // What is closed by the end of the process is no hindrance for the next.
      await under.areas.openTree({ area: FROM, checkpoint: a });
      const next = await under.areas.openTree({ area: FROM, checkpoint: b });
      expect(await readFile(join(next.path, FILE), 'utf8')).toBe('b');
      await next.close();
    });

    it('may be opened when it goes: either what is read is as it was, or it counts for nothing', async () => {
      const [a] = (await start(FROM, 'a', 'b')) as [Checkpoint];
      const tree = await under.areas.openTree({ area: FROM, checkpoint: a });
      await (await storeOf(FROM)).startEmpty(MAIN);
      const read = await readFile(join(tree.path, FILE), 'utf8').catch(() => null);
      const closed = await tree.close().then(
        () => true,
        (error: unknown) => error instanceof SnapshotStoreError && error.code === 'NOT_FOUND' && null,
      );
      expect([
        ['a', true],
        ['a', null],
        [null, null],
      ]).toContainEqual([read, closed]);
      expect(await under.areas.list()).toEqual([FROM]);
    });

    it('is in the way of no sending and receiving', async () => {
      const [a, b] = (await start(FROM, 'a', 'b')) as [Checkpoint, Checkpoint];
      const [store, other] = [await storeOf(FROM), await storeOf(INTO)];
      await fork(FROM, b, THIRD);
      await other.receive(a, null, await store.send(a, null));
      await other.receive(b, a, await store.send(b, a));
      await fork(INTO, b, THIRD, 'lane');
      await store.startFrom(a, MAIN);
      const c = await take(FROM, 'c');
      await other.receive(c, a, await store.send(c, a));
      expect(await other.list(MAIN)).toEqual([a, c]);
      await other.startFrom(c, MAIN);
      expect([await contents(INTO), await contents(THIRD, 'lane')]).toEqual(['c', 'b']);
      // What was forked is sent whole, and then what came after.
      await fork(FROM, c, THIRD, 'side');
      const third = await storeOf(THIRD);
      const d = await take(THIRD, 'd', 'side');
      const e = await take(THIRD, 'e', 'side');
      await other.receive(d, null, await third.send(d, null));
      await other.receive(e, d, await third.send(e, d));
      await other.startFrom(e, 'side');
      expect(await contents(INTO, 'side')).toBe('e');
    });

    it('does what a model does', async () => {
      await checkAgainstModel(
        async () => {
          const { areas, root, cleanup } = await make();
          const open = (): SnapshotStore => new StoreOfAreas(areas);
          const place = (workspace: string): Place => PLACES.find(({ name }) => name === workspace)!;
          return {
            store: open(),
            root,
            reopen: open,
            areas: {
              areaOf: (workspace) => place(workspace).area,
              pathOf: (workspace) => join(root, place(workspace).area, place(workspace).workspace),
            },
            cleanup: async () => {
              for (const area of [FROM, INTO, FROM]) await isKeptBy(areas, area);
              const left = await areas.list();
              await cleanup();
              expect(left).toEqual([]);
            },
          };
        },
        LAYOUT,
        modelRuns,
      );
    });
  });
}

const LAYOUT = ['pkg_image', 'tmp'];
const MAIN = 'build_data';
const FILE = 'tmp/state';
const [FROM, INTO, THIRD] = ['b-0000000001.default', 'b-0000000002.default', 'b-0000000003.v'] as const;

/** Destroys an area. Resolves to whether it has to stay for others. */
async function isKeptBy(areas: Areas, area: string): Promise<boolean> {
  try {
    await areas.destroy(area);
    return false;
  } catch (error) {
    expect(error).toMatchObject({ code: 'PINNED' });
    return true;
  }
}

interface Place {
  /** In the model, where all have names of their own. */
  readonly name: string;
  readonly area: string;
  readonly workspace: string;
}

const PLACES: readonly Place[] = [
  { name: 'main', area: FROM, workspace: MAIN },
  { name: 'lane', area: FROM, workspace: 'lane' },
  { name: 'side', area: INTO, workspace: MAIN },
];

/** Two areas as one store. */
class StoreOfAreas extends SnapshotStore {
  override readonly description = 'areas';

  constructor(private readonly areas: Areas) {
    super();
  }

  override async startEmpty(name: string): Promise<Workspace> {
    const { store, workspace } = await this.#at(name);
    return await store.startEmpty(workspace);
  }

  override async startFrom(checkpoint: Checkpoint, name: string): Promise<Workspace> {
    const [from, to] = [await this.#at(checkpoint.workspace), await this.#at(name)];
    const real = { ...checkpoint, workspace: from.workspace };
    return await this.areas.fork({ area: from.area, checkpoint: real }, to);
  }

  override async take(name: string, label: string, facts: CheckpointFacts): Promise<Checkpoint> {
    const { store, workspace } = await this.#at(name);
    return { ...(await store.take(workspace, label, facts)), workspace: name };
  }

  override async list(name: string): Promise<readonly Checkpoint[]> {
    const { store, workspace } = await this.#at(name);
    return (await store.list(workspace)).map((checkpoint) => ({ ...checkpoint, workspace: name }));
  }

  override async isAsTaken(checkpoint: Checkpoint): Promise<boolean> {
    const { store, workspace } = await this.#at(checkpoint.workspace);
    return await store.isAsTaken({ ...checkpoint, workspace });
  }

  override async destroy(name: string): Promise<void> {
    const { store, workspace } = await this.#at(name);
    await store.destroy(workspace);
  }

  override async space(): Promise<Space> {
    return await this.areas.space();
  }

  override send(): Promise<Readable> {
    return Promise.reject(new Error('the model sends nothing'));
  }

  override estimateSend(): Promise<null> {
    return Promise.resolve(null);
  }

  override partial(): Promise<null> {
    return Promise.resolve(null);
  }

  override sendRest(): Promise<null> {
    return Promise.resolve(null);
  }

  override receive(): Promise<void> {
    return Promise.reject(new Error('the model receives nothing'));
  }

  async #at(name: string): Promise<Place & { readonly store: SnapshotStore }> {
    const place = PLACES.find((each) => each.name === name);
    if (place === undefined) throw new Error(`the model has no ${name}`);
    return { ...place, store: (await this.areas.open(place.area)).store };
  }
}
