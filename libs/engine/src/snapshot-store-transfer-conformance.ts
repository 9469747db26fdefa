import type { Checkpoint } from '#libs/plan';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import type { StoreOptions, StoreUnderTest } from './snapshot-store-conformance.js';
import {
  describeTree,
  EVERY_KIND_OF_CHANGE,
  EVERY_KIND_OF_FILE,
} from './snapshot-store-trees-conformance.js';
import { snapshotStorePartialConformance } from './snapshot-store-partial-conformance.js';
import { SnapshotStoreError, type SnapshotStore } from './snapshot-store.js';

const LAYOUT = ['boot_archive', 'pkg_image', 'tmp'];
const MiB = 1024 * 1024;
const FACTS = { build: 'b-0123456789/default/0/g1', previous: '', 'said-by': "it's a \\ grün" };

/**
 * What every `SnapshotStore` does with checkpoints that move from one store to another of its family. A backend's spec calls this beside
 * `snapshotStoreConformance`, with the same way to make a store; the two places are as two hosts are (not one pool). Needs root for owners and devices.
 */
export function snapshotStoreTransferConformance(
  name: string,
  makeStore: (options: StoreOptions, place: 'here' | 'there') => Promise<StoreUnderTest>,
  /** Whether the store keeps what came of a stream that broke off. */
  { keepsPartial = false }: { readonly keepsPartial?: boolean } = {},
): void {
  jest.setTimeout(300_000);
  snapshotStorePartialConformance(name, makeStore, keepsPartial);

  describe(`${name}, from store to store`, () => {
    let here: StoreUnderTest;
    let there: StoreUnderTest;
    beforeEach(async () => {
      here = await makeStore({ layout: LAYOUT }, 'here');
      there = await makeStore({ layout: LAYOUT }, 'there');
    });
    afterEach(async () => {
      await here.cleanup();
      await there.cleanup();
    });

    const note = async (area: StoreUnderTest, workspace: string, text: string): Promise<void> =>
      writeFile(join(area.root, workspace, 'pkg_image', text), text);
    const notes = async (area: StoreUnderTest, workspace: string): Promise<readonly string[]> =>
      (await readdir(join(area.root, workspace, 'pkg_image'))).toSorted();
    const labels = async (store: SnapshotStore, workspace: string): Promise<readonly string[]> =>
      (await store.list(workspace)).map(({ label }) => label);

    /** A workspace with a note and a checkpoint of each name. */
    async function takeAll(
      area: StoreUnderTest,
      workspace: string,
      ...names: readonly string[]
    ): Promise<readonly Checkpoint[]> {
      await area.store.startEmpty(workspace);
      return await takeMore(area, workspace, ...names);
    }
    async function takeMore(
      area: StoreUnderTest,
      workspace: string,
      ...names: readonly string[]
    ): Promise<readonly Checkpoint[]> {
      const taken: Checkpoint[] = [];
      for (const each of names) {
        await note(area, workspace, each);
        taken.push(await area.store.take(workspace, each, FACTS));
      }
      return taken;
    }
    async function move(
      checkpoint: Checkpoint,
      base: Checkpoint | null,
      from: StoreUnderTest = here,
      to: StoreUnderTest = there,
    ): Promise<void> {
      await to.store.receive(checkpoint, base, await from.store.send(checkpoint, base));
    }
    /** Each from the one before it. */
    async function moveAll(
      checkpoints: readonly Checkpoint[],
      base: Checkpoint | null = null,
    ): Promise<void> {
      for (const [index, each] of checkpoints.entries()) await move(each, checkpoints[index - 1] ?? base);
    }
    async function refusal(work: Promise<unknown>): Promise<string> {
      try {
        await work;
      } catch (error) {
        if (error instanceof SnapshotStoreError) return error.code;
        throw error;
      }
      return 'none';
    }

    describe('what arrives', () => {
      it('is the same checkpoint: id, label, facts and order', async () => {
        const taken = await takeAll(here, 'main', 'a', 'b', 'c');
        await moveAll(taken);
        expect(await there.store.list('main')).toEqual(taken);
        expect(await there.reopen().list('main')).toEqual(taken);
      });

      it('is about as long as was said before, if anything was', async () => {
        const { path } = await here.store.startEmpty('main');
        await writeFile(join(path, 'pkg_image/small'), randomBytes(500_000));
        const small = await here.store.take('main', 'small', {});
        await writeFile(join(path, 'pkg_image/large'), randomBytes(3_000_000));
        const large = await here.store.take('main', 'large', {});
        for (const [checkpoint, base] of [
          [small, null],
          [large, small],
          [large, null],
        ] as const) {
          const said = await here.store.estimateSend(checkpoint, base);
          let bytes = 0;
          for await (const chunk of await here.store.send(checkpoint, base))
            bytes += (chunk as Buffer).length;
          const share = said === null ? 1 : said / bytes;
          expect(share).toBeGreaterThan(0.7);
          expect(share).toBeLessThan(1.3);
        }
      });

      it('is the same tree, whatever is in it and however it changed', async () => {
        const run = promisify(execFile);
        const { path } = await here.store.startEmpty('main');
        await run('bash', ['-c', EVERY_KIND_OF_FILE], { cwd: join(path, 'pkg_image') });
        const taken = [await here.store.take('main', 'made', {})];
        const trees = [await describeTree(path)];
        for (const [index, change] of EVERY_KIND_OF_CHANGE.entries()) {
          await run('bash', ['-c', change], { cwd: join(path, 'pkg_image') });
          taken.push(await here.store.take('main', `change${index}`, {}));
          trees.push(await describeTree(path));
        }
        await moveAll(taken);
        for (const [index, checkpoint] of [...taken.entries()].toReversed()) {
          const arrived = await there.store.startFrom(checkpoint, 'main');
          expect(await describeTree(arrived.path)).toEqual(trees[index]);
        }
      });

      it('can be gone on from, and what comes of it can be sent back', async () => {
        const [first] = await takeAll(here, 'main', 'a');
        await move(first!, null);
        await there.store.startFrom(first!, 'main');
        const [second] = await takeMore(there, 'main', 'b');
        await takeMore(here, 'main', 'unwanted');
        await move(second!, first!, there, here);
        expect(await labels(here.store, 'main')).toEqual(['a', 'b']);
        await here.store.startFrom(second!, 'main');
        expect(await notes(here, 'main')).toEqual(['a', 'b']);
      });

      it('leaves out what changed behind the checkpoint, also while steps go on', async () => {
        const [first] = await takeAll(here, 'main', 'a');
        const stream = await here.store.send(first!, null);
        await takeMore(here, 'main', 'b');
        await there.store.receive(first!, null, stream);
        await there.store.startFrom(first!, 'main');
        expect(await notes(there, 'main')).toEqual(['a']);
      });

      it('replaces what the workspace was, when it is whole', async () => {
        await takeAll(there, 'main', 'x', 'y');
        const [first] = await takeAll(here, 'main', 'a');
        await move(first!, null);
        expect(await labels(there.store, 'main')).toEqual(['a']);
        await there.store.startFrom(first!, 'main');
        expect(await notes(there, 'main')).toEqual(['a']);
      });

      it('stays when its source goes', async () => {
        const taken = await takeAll(here, 'main', 'a', 'b');
        await moveAll(taken);
        await here.store.destroy('main');
        await there.store.startFrom(taken[0]!, 'main');
        expect(await notes(there, 'main')).toEqual(['a']);
      });
    });

    describe('forks', () => {
      it('are forks again where their origin is', async () => {
        const taken = await takeAll(here, 'main', 'a', 'b');
        await moveAll(taken);
        await here.store.startFrom(taken[0]!, 'side');
        const forked = await takeMore(here, 'side', 's', 't');
        await moveAll(forked, taken[0]);
        expect(await labels(there.store, 'side')).toEqual(['s', 't']);
        await there.store.startFrom(forked[1]!, 'side');
        expect(await notes(there, 'side')).toEqual(['a', 's', 't']);
        await there.store.startFrom(taken[1]!, 'main');
        expect(await notes(there, 'main')).toEqual(['a', 'b']);
      });

      it('are whole where it is not', async () => {
        const [origin] = await takeAll(here, 'main', 'a');
        await here.store.startFrom(origin!, 'side');
        const forked = await takeMore(here, 'side', 's', 't');
        await moveAll(forked);
        await there.store.startFrom(forked[1]!, 'side');
        expect(await notes(there, 'side')).toEqual(['a', 's', 't']);
        expect(await there.store.list('main')).toEqual([]);
      });
    });

    describe('what does not arrive whole', () => {
      let first: Checkpoint;
      let second: Checkpoint;
      beforeEach(async () => {
        const { path } = await here.store.startEmpty('main');
        await writeFile(join(path, 'pkg_image', 'random'), randomBytes(MiB));
        first = await here.store.take('main', 'a', FACTS);
        await writeFile(join(path, 'pkg_image', 'more'), randomBytes(MiB));
        second = await here.store.take('main', 'b', FACTS);
      });

      const sent = async (checkpoint: Checkpoint, base: Checkpoint | null): Promise<Buffer> => {
        const chunks: Buffer[] = [];
        for await (const chunk of await here.store.send(checkpoint, base)) chunks.push(chunk as Buffer);
        return Buffer.concat(chunks);
      };
      const streamOf = (bytes: Buffer): Readable => Readable.from(slices(bytes), { objectMode: false });
      function* slices(bytes: Buffer): Generator<Buffer> {
        for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
      }

      it.each([0, 0.001, 0.5, 0.99])(
        'is refused when it is cut at %d of it, and can come again',
        async (share) => {
          for (const [checkpoint, base] of [
            [first, null],
            [second, first],
          ] as const) {
            const bytes = await sent(checkpoint, base);
            const before = await there.store.list('main');
            const cut = streamOf(bytes.subarray(0, Math.floor(bytes.length * share)));
            expect(await refusal(there.store.receive(checkpoint, base, cut))).toBe('BAD_STREAM');
            expect(await there.reopen().list('main')).toEqual(before);
            await there.store.receive(checkpoint, base, streamOf(bytes));
          }
          expect(await there.store.list('main')).toEqual([first, second]);
        },
      );

      it.each([0.1, 0.5, 0.9])('is refused when a bit at %d of it is another', async (share) => {
        const bytes = await sent(first, null);
        const bent = Buffer.from(bytes);
        const at = Math.floor(bytes.length * share);
        bent[at] = (bent[at] ?? 0) ^ 0x10;
        expect(await refusal(there.store.receive(first, null, streamOf(bent)))).toBe('BAD_STREAM');
        expect(await there.store.list('main')).toEqual([]);
        await there.store.receive(first, null, streamOf(bytes));
        expect(await there.store.list('main')).toEqual([first]);
      });

      it('is refused when it breaks off with an error, and nothing of it stays', async () => {
        const bytes = await sent(first, null);
        async function* breaking(): AsyncGenerator<Buffer> {
          yield bytes.subarray(0, bytes.length / 2);
          await Promise.resolve();
          throw new Error('the link is gone');
        }
        expect(
          await refusal(there.store.receive(first, null, Readable.from(breaking(), { objectMode: false }))),
        ).toBe('BAD_STREAM');
        expect(await there.store.list('main')).toEqual([]);
        await there.store.startEmpty('main');
        expect(await notes(there, 'main')).toEqual([]);
      });

      it('is refused when it is another checkpoint than was said', async () => {
        expect(await refusal(there.store.receive(first, null, await here.store.send(second, null)))).toBe(
          'BAD_STREAM',
        );
        expect(await there.store.list('main')).toEqual([]);
      });

      it('is refused when it goes on from another base than was said', async () => {
        await move(first, null);
        expect(await refusal(there.store.receive(second, null, await here.store.send(second, first)))).toBe(
          'BAD_STREAM',
        );
        await move(first, null);
        expect(await refusal(there.store.receive(second, first, await here.store.send(second, null)))).toBe(
          'BAD_STREAM',
        );
        await move(second, first);
        expect(await there.store.list('main')).toEqual([first, second]);
      });

      it('is refused when it is something else', async () => {
        expect(await refusal(there.store.receive(first, null, streamOf(randomBytes(100_000))))).toBe(
          'BAD_STREAM',
        );
        expect(await there.store.list('main')).toEqual([]);
      });
    });

    describe('what it refuses', () => {
      it('to send what it does not have', async () => {
        const taken = await takeAll(here, 'main', 'a', 'b');
        await here.store.startFrom(taken[0]!, 'main');
        expect(await refusal(here.store.send(taken[1]!, null))).toBe('NOT_FOUND');
        expect(await refusal(here.store.send(taken[0]!, { ...taken[0]!, id: '1' }))).toBe('NOT_FOUND');
      });

      it('to receive on a base that it does not have', async () => {
        const taken = await takeAll(here, 'main', 'a', 'b');
        expect(await refusal(move(taken[1]!, taken[0]!))).toBe('NOT_FOUND');
        expect(await there.store.list('main')).toEqual([]);
      });

      it('to receive over what it did not make', async () => {
        const foreign = await there.makeForeign('main');
        const [first] = await takeAll(here, 'main', 'a');
        expect(await refusal(move(first!, null))).toBe('FOREIGN_DATA');
        expect(await readdir(foreign)).toContain('precious');
      });
    });

    it('lets go of a checkpoint as soon as its stream is destroyed', async () => {
      const { path } = await here.store.startEmpty('main');
      await writeFile(join(path, 'pkg_image', 'random'), randomBytes(32 * MiB));
      const big = await here.store.take('main', 'a', {});
      const stream = await here.store.send(big, null);
      await new Promise((resolve) => stream.once('readable', resolve));
      stream.destroy();
      await here.store.destroy('main');
      expect(await here.store.list('main')).toEqual([]);
    });

    it('keeps nothing of what there is no room for', async () => {
      const small = await makeStore({ layout: LAYOUT, sizeBytes: 100 * MiB }, 'there');
      try {
        const [first] = await takeAll(here, 'main', 'a');
        await move(first!, null, here, small);
        await writeFile(join(here.root, 'main', 'pkg_image', 'large'), randomBytes(150 * MiB));
        const large = await here.store.take('main', 'large', {});
        expect(await refusal(move(large, first!, here, small))).toBe('NO_SPACE');
        expect(await labels(small.store, 'main')).toEqual(['a']);
        await here.store.startFrom(first!, 'main');
        const [next] = await takeMore(here, 'main', 'b');
        await move(next!, first!, here, small);
        expect(await labels(small.store, 'main')).toEqual(['a', 'b']);
      } finally {
        await small.cleanup();
      }
    });
  });
}
