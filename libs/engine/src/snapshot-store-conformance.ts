import type { Checkpoint } from '#libs/plan';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { SnapshotStore } from './snapshot-store.js';
import {
  attributesOf,
  describeTree,
  EVERY_KIND_OF_CHANGE,
  EVERY_KIND_OF_FILE,
} from './snapshot-store-trees-conformance.js';
import { checkAgainstModel } from './snapshot-store-model-conformance.js';

/** A store over an area of its own, and what a test cannot do through the port. */
export interface StoreUnderTest {
  readonly store: SnapshotStore;
  /** The folder that has the workspaces in it. */
  readonly root: string;
  /** Another store over the same area, as the next process makes one. */
  reopen(): SnapshotStore;
  /** Puts something that the store did not make, and that holds a file `precious`, where the workspace would be; resolves to its path. */
  makeForeign(workspace: string): Promise<string>;
  cleanup(): Promise<void>;
}

export interface StoreOptions {
  readonly layout: readonly string[];
  /** Size of the area; absent: as large as it gets. */
  readonly sizeBytes?: number;
}

export interface ConformanceOptions {
  /** Runs of the model test. */
  readonly modelRuns: number;
}

const LAYOUT = ['boot_archive', 'pkg_image', 'tmp'];
const MiB = 1024 * 1024;
const isRoot = process.getuid?.() === 0;
const itAsRoot = isRoot ? it : it.skip;
const itWithMounts = canMount() ? it : it.skip;

/**
 * What every `SnapshotStore` does, whatever keeps its checkpoints. A backend's spec calls this with a way to make a store over a fresh area.
 *
 * Run as root for all of it: owners, devices and mounts need that; what does is skipped otherwise.
 */
export function snapshotStoreConformance(
  name: string,
  makeStore: (options: StoreOptions) => Promise<StoreUnderTest>,
  { modelRuns }: ConformanceOptions,
): void {
  jest.setTimeout(120_000);

  describe(`${name} as a snapshot store`, () => {
    let area: StoreUnderTest;
    let store: SnapshotStore;

    async function open(sizeBytes?: number): Promise<void> {
      area = await makeStore({ layout: LAYOUT, ...(sizeBytes === undefined ? {} : { sizeBytes }) });
      ({ store } = area);
    }
    const path = (workspace: string, ...rest: readonly string[]): string =>
      join(area.root, workspace, ...rest);
    const note = async (workspace: string, text: string): Promise<void> =>
      writeFile(path(workspace, 'pkg_image', text), text);
    const notes = async (workspace: string): Promise<readonly string[]> =>
      (await readdir(path(workspace, 'pkg_image'))).toSorted();
    const labels = async (workspace: string): Promise<readonly string[]> =>
      (await store.list(workspace)).map(({ label }) => label);

    /** Adds a note of each name and takes a checkpoint of the same name behind it. */
    async function takeAll(workspace: string, ...names: readonly string[]): Promise<readonly Checkpoint[]> {
      const taken: Checkpoint[] = [];
      for (const each of names) {
        await note(workspace, each);
        taken.push(await store.take(workspace, each, {}));
      }
      return taken;
    }

    describe('with room', () => {
      beforeEach(async () => open());
      afterEach(async () => area.cleanup());

      describe('starting from nothing', () => {
        it('makes exactly the layout folders, of mode 0755, whatever the umask', async () => {
          const umask = process.umask(0o077);
          try {
            expect(await store.startEmpty('main')).toEqual({ name: 'main', path: path('main') });
          } finally {
            process.umask(umask);
          }
          expect((await readdir(path('main'))).toSorted()).toEqual(LAYOUT);
          for (const folder of ['', ...LAYOUT]) {
            expect(await attributesOf(path('main', folder))).toMatchObject({
              type: 'directory',
              mode: '755',
            });
          }
          expect(await store.list('main')).toEqual([]);
        });

        it('leaves nothing of what was there, forgets its checkpoints, and may be repeated', async () => {
          await store.startEmpty('main');
          const [old] = await takeAll('main', 'a', 'b');
          for (let round = 0; round < 2; round++) {
            await writeFile(path('main', 'debris'), 'x');
            await store.startEmpty('main');
            expect((await readdir(path('main'))).toSorted()).toEqual(LAYOUT);
            expect(await notes('main')).toEqual([]);
            expect(await store.list('main')).toEqual([]);
          }
          await expect(store.startFrom(old!, 'main')).rejects.toMatchObject({ code: 'NOT_FOUND' });
        });

        it('refuses what it did not make, and leaves it alone', async () => {
          await store.startEmpty('main');
          const [checkpoint] = await takeAll('main', 'a');
          const foreign = await area.makeForeign('other');
          await expect(store.startEmpty('other')).rejects.toMatchObject({ code: 'FOREIGN_DATA' });
          await expect(store.startFrom(checkpoint!, 'other')).rejects.toMatchObject({ code: 'FOREIGN_DATA' });
          await expect(store.destroy('other')).rejects.toMatchObject({ code: 'FOREIGN_DATA' });
          expect(await readdir(foreign)).toContain('precious');
        });

        it.each(['', '.', '..', 'a/b', 'a b', 'a@b', '-r', 'ä', 'a\nb'])(
          'refuses %j as a name',
          async (bad) => {
            await expect(store.startEmpty(bad)).rejects.toMatchObject({ code: 'FAILED' });
            await store.startEmpty('main');
            await expect(store.take('main', bad, {})).rejects.toMatchObject({ code: 'FAILED' });
            expect(await store.list('main')).toEqual([]);
          },
        );
      });

      describe('taking checkpoints', () => {
        it('lists them oldest first, each with an id of its own, also to the next process', async () => {
          await store.startEmpty('main');
          const taken = await takeAll('main', '.step_z', '.step_a', 'm:1_2-3');
          expect(new Set(taken.map(({ id }) => id)).size).toBe(3);
          expect(taken.map(({ workspace, label }) => `${workspace} ${label}`)).toEqual([
            'main .step_z',
            'main .step_a',
            'main m:1_2-3',
          ]);
          expect(await store.list('main')).toEqual(taken);
          expect(await area.reopen().list('main')).toEqual(taken);
        });

        it('knows one as it was taken for as long as it is there', async () => {
          await store.startEmpty('main');
          const [a, b] = await takeAll('main', 'a', 'b');
          await store.startFrom(a!, 'main');
          expect([await store.isAsTaken(a!), await store.isAsTaken(b!)]).toEqual([true, false]);
          const again = await store.take('main', 'b', {});
          expect([await store.isAsTaken(b!), await area.reopen().isAsTaken(again)]).toEqual([false, true]);
        });

        it.each<[string, Readonly<Record<string, string>>]>([
          ['none', {}],
          ['plain', { a: '1', 'with-dash-0': 'two' }],
          ['empty and blank', { empty: '', blank: ' ', blanks: '  a  b  ' }],
          ['like output of zfs', { dash: '-', none: 'none', equals: '=a=b', at: 'a@b' }],
          ['JSON', { json: JSON.stringify({ a: ['"', '\\', "'", '$(x)', '`x`'] }) }],
          ['beyond ASCII', { unicode: 'grün 日本 🎼 \u{10FFFF} e\u0301' }],
          ['of 1000 bytes', { a: 'a'.repeat(1000), b: ' '.repeat(1000), c: '"'.repeat(1000) }],
          ['of 1000 bytes beyond ASCII', { a: 'ü'.repeat(500), b: '🎼'.repeat(250) }],
          [
            'ten digests',
            Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`digest-${i}`, 'f'.repeat(64)])),
          ],
        ])('keeps facts: %s', async (_, facts) => {
          await store.startEmpty('main');
          expect((await store.take('main', 'a', facts)).facts).toEqual(facts);
          expect((await area.reopen().list('main'))[0]?.facts).toEqual(facts);
        });

        it.each<[string, Readonly<Record<string, string>>]>([
          ['a tab', { a: 'x\ty' }],
          ['a newline', { a: 'x\ny' }],
          ['half a character', { a: '\ud83d' }],
          ['more than 1000 bytes', { a: 'ü'.repeat(501) }],
          ['a capital in a key', { A: 'x' }],
        ])('takes nothing with facts that might come back changed: %s', async (_, facts) => {
          await store.startEmpty('main');
          await expect(store.take('main', 'a', facts)).rejects.toMatchObject({ code: 'FAILED' });
          expect(await store.list('main')).toEqual([]);
        });

        it('refuses a label that is taken, and keeps what it stands for', async () => {
          await store.startEmpty('main');
          const first = await store.take('main', 'a', { round: '1' });
          await note('main', 'later');
          await expect(store.take('main', 'a', { round: '2' })).rejects.toMatchObject({ code: 'EXISTS' });
          expect(await store.list('main')).toEqual([first]);
          expect(await notes('main')).toEqual(['later']);
          await store.startFrom(first, 'main');
          expect(await notes('main')).toEqual([]);
        });

        it('has nothing of a workspace that is not there', async () => {
          await expect(store.take('main', 'a', {})).rejects.toMatchObject({ code: 'NOT_FOUND' });
          expect(await store.list('main')).toEqual([]);
          expect(existsSync(path('main'))).toBe(false);
        });

        it('leaves the workspace as it is', async () => {
          await store.startEmpty('main');
          await script(path('main', 'pkg_image'), EVERY_KIND_OF_FILE);
          const before = await describeTree(path('main'));
          await store.take('main', 'a', {});
          await store.take('main', 'b', {});
          expect(await describeTree(path('main'))).toEqual(before);
        });
      });

      describe('going back', () => {
        it('brings back every kind of file', async () => {
          await store.startEmpty('main');
          await script(path('main', 'pkg_image'), EVERY_KIND_OF_FILE);
          const then = await describeTree(path('main'));
          const checkpoint = await store.take('main', 'a', {});
          await script(path('main'), 'find . -mindepth 1 -delete; mkdir left; echo x > left/over');
          expect(await store.startFrom(checkpoint, 'main')).toEqual({ name: 'main', path: path('main') });
          expect(await describeTree(path('main'))).toEqual(then);
        });

        it('notices every kind of change since the last checkpoint', async () => {
          await store.startEmpty('main');
          await script(path('main', 'pkg_image'), EVERY_KIND_OF_FILE);
          const states: { checkpoint: Checkpoint; tree: readonly string[] }[] = [];
          for (const [index, change] of ['true', ...EVERY_KIND_OF_CHANGE].entries()) {
            await script(path('main', 'pkg_image'), change);
            states.push({
              tree: await describeTree(path('main')),
              checkpoint: await store.take('main', `c${index}`, { change }),
            });
          }
          await script(path('main', 'pkg_image'), 'rm -rf ./*');
          for (const { checkpoint, tree } of states.toReversed()) {
            await store.startFrom(checkpoint, 'main');
            const { change } = checkpoint.facts;
            expect({ change, tree: await describeTree(path('main')) }).toEqual({ change, tree });
          }
        });

        it('notices changes made after going back, too', async () => {
          await store.startEmpty('main');
          await script(path('main', 'pkg_image'), EVERY_KIND_OF_FILE);
          const base = await store.take('main', 'base', {});
          for (const change of EVERY_KIND_OF_CHANGE) {
            await store.startFrom(base, 'main');
            await script(path('main', 'pkg_image'), change);
            const tree = await describeTree(path('main'));
            const checkpoint = await store.take('main', 'changed', {});
            await script(path('main', 'pkg_image'), 'rm -rf ./*');
            await store.startFrom(checkpoint, 'main');
            expect({ change, tree: await describeTree(path('main')) }).toEqual({ change, tree });
          }
        });

        itAsRoot(
          'brings back extended attributes and file capabilities, where the file system has them',
          async () => {
            await store.startEmpty('main');
            const folder = path('main', 'pkg_image');
            if (!(await setAttributes(folder))) return;
            const then = await readAttributes(folder);
            const first = await store.take('main', 'a', {});
            // Beside them, so that the second checkpoint shares the rest with the first.
            await note('main', 'later');
            const second = await store.take('main', 'b', {});
            await script(folder, 'setcap -r capable; rm -rf annotated folder');
            const third = await store.take('main', 'c', {});
            const without = await readAttributes(folder);
            for (const [checkpoint, attributes] of [
              [third, without],
              [second, then],
              [first, then],
            ] as const) {
              await store.startFrom(checkpoint, 'main');
              expect(await readAttributes(folder)).toEqual(attributes);
            }
          },
        );

        it('drops what is newer, keeps what is older, and can take the dropped label again', async () => {
          await store.startEmpty('main');
          const [a, b, c] = await takeAll('main', 'a', 'b', 'c');
          await store.startFrom(b!, 'main');
          expect(await notes('main')).toEqual(['a', 'b']);
          expect(await store.list('main')).toEqual([a, b]);
          await expect(store.startFrom(c!, 'main')).rejects.toMatchObject({ code: 'NOT_FOUND' });
          const [again] = await takeAll('main', 'c');
          expect(again?.id).not.toBe(c?.id);
          await expect(store.startFrom(c!, 'main')).rejects.toMatchObject({ code: 'NOT_FOUND' });
          await expect(store.startFrom(c!, 'lane')).rejects.toMatchObject({ code: 'NOT_FOUND' });
          expect(await labels('main')).toEqual(['a', 'b', 'c']);
          expect(existsSync(path('lane'))).toBe(false);
        });

        it('leaves everything as it is when the checkpoint is gone', async () => {
          await store.startEmpty('main');
          const [a] = await takeAll('main', 'a');
          await note('main', 'unsaved');
          for (const gone of [
            { ...a!, id: '1' },
            { ...a!, label: 'b' },
            { ...a!, workspace: 'absent' },
          ]) {
            await expect(store.startFrom(gone, 'main')).rejects.toMatchObject({ code: 'NOT_FOUND' });
          }
          expect(await notes('main')).toEqual(['a', 'unsaved']);
          expect(await store.list('main')).toEqual([a]);
        });

        it('goes on in the next process', async () => {
          await store.startEmpty('main');
          const [a] = await takeAll('main', 'a');
          store = area.reopen();
          await takeAll('main', 'b');
          store = area.reopen();
          await store.startFrom(a!, 'main');
          expect(await notes('main')).toEqual(['a']);
          await takeAll('main', 'c');
          expect(await labels('main')).toEqual(['a', 'c']);
        });
      });

      describe('forking', () => {
        it('makes a workspace that goes its own way', async () => {
          await store.startEmpty('main');
          const [a] = await takeAll('main', 'a');
          expect(await store.startFrom(a!, 'lane')).toEqual({ name: 'lane', path: path('lane') });
          expect(await store.list('lane')).toEqual([]);
          const [ofLane] = await takeAll('lane', 'l');
          await takeAll('main', 'b');
          expect(await notes('lane')).toEqual(['a', 'l']);
          expect(await notes('main')).toEqual(['a', 'b']);
          await note('lane', 'unsaved');
          await store.startFrom(ofLane!, 'lane');
          expect(await notes('lane')).toEqual(['a', 'l']);
          expect(await labels('main')).toEqual(['a', 'b']);
        });

        it('outlives going back in its origin, unless it came from what is dropped', async () => {
          await store.startEmpty('main');
          const [a, b] = await takeAll('main', 'a', 'b');
          await store.startFrom(a!, 'early');
          await store.startFrom(b!, 'late');
          const [late] = await takeAll('late', 'l');
          await store.startFrom(late!, 'later');
          const [early] = await takeAll('early', 'e');
          await store.startFrom(a!, 'main');
          expect(await notes('early')).toEqual(['a', 'e']);
          expect(await store.list('early')).toEqual([early]);
          for (const gone of ['late', 'later']) {
            expect(await store.list(gone)).toEqual([]);
            expect(existsSync(path(gone))).toBe(false);
          }
        });

        it('forks forks', async () => {
          await store.startEmpty('main');
          const [a] = await takeAll('main', 'a');
          await store.startFrom(a!, 'lane');
          const [b] = await takeAll('lane', 'b');
          await store.startFrom(b!, 'side');
          const [c] = await takeAll('side', 'c');
          await note('side', 'unsaved');
          await store.startFrom(c!, 'side');
          expect(await notes('side')).toEqual(['a', 'b', 'c']);
          await store.destroy('main');
          expect(await readdir(area.root)).not.toEqual(expect.arrayContaining(['lane']));
          expect(await readdir(area.root)).not.toEqual(expect.arrayContaining(['side']));
        });

        it('replaces an earlier fork and all that came from it', async () => {
          await store.startEmpty('main');
          const [a, b] = await takeAll('main', 'a', 'b');
          await store.startFrom(a!, 'lane');
          const [l] = await takeAll('lane', 'l');
          await store.startFrom(l!, 'side');
          await store.startFrom(b!, 'lane');
          expect(await notes('lane')).toEqual(['a', 'b']);
          expect(await store.list('lane')).toEqual([]);
          expect(existsSync(path('side'))).toBe(false);
          await expect(store.startFrom(l!, 'lane')).rejects.toMatchObject({ code: 'NOT_FOUND' });
        });

        it('can be started from nothing again', async () => {
          await store.startEmpty('main');
          const [a] = await takeAll('main', 'a');
          await store.startFrom(a!, 'lane');
          await takeAll('lane', 'l');
          await store.startEmpty('lane');
          expect((await readdir(path('lane'))).toSorted()).toEqual(LAYOUT);
          expect(await notes('lane')).toEqual([]);
          expect(await store.list('lane')).toEqual([]);
          expect(await store.list('main')).toEqual([a]);
        });

        it('refuses to replace what the checkpoint itself comes from', async () => {
          await store.startEmpty('main');
          const [a] = await takeAll('main', 'a');
          await store.startFrom(a!, 'lane');
          const [l] = await takeAll('lane', 'l');
          await store.startFrom(l!, 'side');
          const [s] = await takeAll('side', 's');
          for (const origin of ['main', 'lane']) {
            await expect(store.startFrom(s!, origin)).rejects.toMatchObject({ code: 'FAILED' });
          }
          expect(await notes('main')).toEqual(['a']);
          expect(await store.list('lane')).toEqual([l]);
          expect(await store.list('side')).toEqual([s]);
        });
      });

      describe('destroying', () => {
        it('removes the workspace, its checkpoints and its forks, and may be repeated', async () => {
          await store.startEmpty('main');
          await store.startEmpty('other');
          const [a] = await takeAll('main', 'a');
          await store.startFrom(a!, 'lane');
          await takeAll('lane', 'l');
          await store.destroy('main');
          await store.destroy('main');
          await store.destroy('never');
          for (const gone of ['main', 'lane']) {
            expect(existsSync(path(gone))).toBe(false);
            expect(await store.list(gone)).toEqual([]);
          }
          expect((await readdir(path('other'))).toSorted()).toEqual(LAYOUT);
          await store.startEmpty('main');
          expect(await store.list('main')).toEqual([]);
        });

        it('takes nothing else away', async () => {
          await store.startEmpty('main');
          const foreign = await area.makeForeign('neighbour');
          await store.destroy('main');
          expect(await readdir(foreign)).toContain('precious');
        });
      });

      describe('with somebody in the way', () => {
        it('names the process, and loses nothing', async () => {
          await store.startEmpty('main');
          const [a, b] = await takeAll('main', 'a', 'b');
          await store.startFrom(b!, 'lane');
          const [l] = await takeAll('lane', 'l');
          await note('main', 'unsaved');
          for (const inTheWay of ['main', 'lane']) {
            await withProcessIn(path(inTheWay, 'pkg_image'), async (pid) => {
              const named = { code: 'BUSY', message: expect.stringContaining(`${pid} (sleep)`) };
              await expect(store.startFrom(a!, 'main')).rejects.toMatchObject(named);
              await expect(store.startEmpty('main')).rejects.toMatchObject(named);
              await expect(store.destroy('main')).rejects.toMatchObject(named);
            });
            expect(await notes('main')).toEqual(['a', 'b', 'unsaved']);
            expect(await notes('lane')).toEqual(['a', 'b', 'l']);
            expect(await store.list('main')).toEqual([a, b]);
            expect(await store.list('lane')).toEqual([l]);
          }
          await store.startFrom(a!, 'main');
          expect(await notes('main')).toEqual(['a']);
        });

        itWithMounts('releases mounts that were left in the workspace', async () => {
          await store.startEmpty('main');
          const [a] = await takeAll('main', 'a');
          const inside = path('main', 'pkg_image', 'in side');
          const starts = [
            async () => store.startFrom(a!, 'main'),
            async () => store.startEmpty('main'),
            async () => store.destroy('main'),
          ];
          for (const start of starts) {
            await mkdir(inside);
            await run('mount', '-t', 'tmpfs', 'none', inside);
            await mkdir(join(inside, 'deep'));
            await run('mount', '-t', 'tmpfs', 'none', join(inside, 'deep'));
            await start();
            expect(await mountsIn(area.root)).not.toEqual(
              expect.arrayContaining([expect.stringContaining('side')]),
            );
          }
        });

        itWithMounts('does not keep what is mounted in the workspace', async () => {
          await store.startEmpty('main');
          const inside = path('main', 'pkg_image', 'mounted');
          await mkdir(inside);
          await run('mount', '-t', 'tmpfs', 'none', inside);
          await writeFile(join(inside, 'elsewhere'), 'x');
          const checkpoint = await store.take('main', 'a', {});
          await store.startFrom(checkpoint, 'main');
          expect(await readdir(inside)).toEqual([]);
        });

        itWithMounts('names who is in a mount that cannot be released', async () => {
          await store.startEmpty('main');
          const [a] = await takeAll('main', 'a');
          const inside = path('main', 'pkg_image', 'inside');
          await mkdir(inside);
          await run('mount', '-t', 'tmpfs', 'none', inside);
          try {
            await withProcessIn(inside, async (pid) => {
              const named = { code: 'BUSY', message: expect.stringContaining(`${pid} (sleep)`) };
              await expect(store.startFrom(a!, 'main')).rejects.toMatchObject(named);
              expect(await notes('main')).toEqual(['a', 'inside']);
            });
          } finally {
            await run('umount', inside);
          }
          await store.startFrom(a!, 'main');
          expect(await notes('main')).toEqual(['a']);
        });
      });

      it('knows the space at hand', async () => {
        const { freeBytes, usedBytes } = await store.space();
        expect(freeBytes).toBeGreaterThan(MiB);
        expect(usedBytes).toBeGreaterThanOrEqual(0);
        expect(Number.isSafeInteger(freeBytes + usedBytes)).toBe(true);
      });
    });

    describe('without room', () => {
      // Two copies of the first state fit, and nothing more than that.
      const SIZE = 96 * MiB;
      beforeEach(async () => open(SIZE));
      afterEach(async () => area.cleanup());

      itWithMounts('keeps its checkpoints, takes none by halves, and still goes back', async () => {
        await store.startEmpty('main');
        await fill(path('main', 'pkg_image', 'kept'), 20);
        await writeFile(path('main', 'pkg_image', 'small'), 'x');
        const tree = await describeTree(path('main'));
        const a = await store.take('main', 'a', {});
        for (let round = 0; round < 2; round++) {
          await fill(path('main', 'pkg_image', 'filler'), 'until it is full');
          const b = await store.take('main', 'b', {}).catch((error: unknown) => error);
          if (b instanceof Error) expect(b).toMatchObject({ code: 'NO_SPACE' });
          expect(await labels('main')).toEqual(b instanceof Error ? ['a'] : ['a', 'b']);
          await store.startFrom(a, 'main');
          expect(await describeTree(path('main'))).toEqual(tree);
          expect(await labels('main')).toEqual(['a']);
        }
        await store.take('main', 'b', {});
        expect(await labels('main')).toEqual(['a', 'b']);
      });

      itWithMounts(
        'says so when there is no room for a fork, and has room again when told to start from nothing',
        async () => {
          await store.startEmpty('main');
          await fill(path('main', 'pkg_image', 'kept'), 20);
          const a = await store.take('main', 'a', {});
          await fill(path('main', 'pkg_image', 'filler'), 'until it is full');
          const lane = await store.startFrom(a, 'lane').catch((error: unknown) => error);
          if (lane instanceof Error) {
            expect(lane).toMatchObject({ code: 'NO_SPACE' });
            expect(existsSync(path('lane'))).toBe(false);
          }
          expect(await store.list('main')).toEqual([a]);
          await store.startEmpty('main');
          expect(await notes('main')).toEqual([]);
          await fill(path('main', 'pkg_image', 'kept'), 40);
        },
      );
    });

    describe('as a model has it', () => {
      it('after any sequence of calls', async () => {
        await checkAgainstModel(() => makeStore({ layout: LAYOUT }), LAYOUT, modelRuns);
      });
    });
  });
}

function canMount(): boolean {
  if (!isRoot) return false;
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function run(program: string, ...args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(program, args)).stdout;
}

async function script(folder: string, text: string): Promise<void> {
  await promisify(execFile)('bash', ['-euc', text], { cwd: folder });
}

/** Random, so that no file system compresses it away. */
async function fill(file: string, mebibytes: number | 'until it is full'): Promise<void> {
  const count = mebibytes === 'until it is full' ? [] : [`count=${mebibytes}`];
  const dd = run('dd', 'if=/dev/urandom', `of=${file}`, 'bs=1M', ...count, 'conv=fsync', 'status=none');
  if (mebibytes !== 'until it is full') await dd;
  else
    await expect(dd).rejects.toMatchObject({ stderr: expect.stringMatching(/No space left|quota exceeded/) });
}

async function withProcessIn(folder: string, body: (pid: number) => Promise<void>): Promise<void> {
  const child = spawn('sleep', ['600'], { cwd: folder, stdio: 'ignore' });
  await once(child, 'spawn');
  try {
    await body(child.pid!);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

async function mountsIn(folder: string): Promise<readonly string[]> {
  const mounts = await run('findmnt', '--list', '--noheadings', '--output', 'TARGET');
  return mounts.split('\n').filter((mount) => mount.startsWith(`${folder}/`));
}

/** `user.note` on a file and a folder, a capability on another file; false where that cannot be. */
async function setAttributes(folder: string): Promise<boolean> {
  const make =
    'mkdir folder; echo x > annotated; echo x > capable; chmod 755 capable; setcap cap_net_raw+ep capable';
  const pack = "tar --create --pax-option='SCHILY.xattr.user.note:=a note' --format=posix annotated folder";
  try {
    await script(folder, `${make}; ${pack} | tar --extract --xattrs 2>&1 | (! grep .)`);
    return (await readAttributes(folder)).length === 3;
  } catch {
    return false;
  }
}

async function readAttributes(folder: string): Promise<readonly string[]> {
  const all =
    'tar --create --xattrs --format=posix --no-recursion annotated folder 2>/dev/null | grep -a --only-matching SCHILY.*note';
  const { stdout } = await promisify(execFile)('bash', ['-c', `${all}; getcap capable`], { cwd: folder });
  return stdout.split('\n').filter((line) => line !== '');
}
