import type { Checkpoint } from '#libs/plan';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { StoreOptions, StoreUnderTest } from './snapshot-store-conformance.js';
import { describeTree } from './snapshot-store-trees-conformance.js';
import { SnapshotStoreError } from './snapshot-store.js';

const LAYOUT = ['boot_archive', 'pkg_image', 'tmp'];
const MiB = 1024 * 1024;
const FACTS = { build: 'b-0123456789/default/0/g1', previous: '' };

/**
 * What every `SnapshotStore` does with a stream that broke off, and with its rest: a part of `snapshotStoreTransferConformance`, which has the same places. A store that
 * keeps nothing shows that nothing is there.
 */
export function snapshotStorePartialConformance(
  name: string,
  makeStore: (options: StoreOptions, place: 'here' | 'there') => Promise<StoreUnderTest>,
  keepsPartial: boolean,
): void {
  describe(`${name}, with what has come of a stream that broke off`, () => {
    let here: StoreUnderTest;
    let there: StoreUnderTest;
    let first: Checkpoint;
    let second: Checkpoint;
    let fork: Checkpoint;
    const parts = (): readonly (readonly [string, Checkpoint, Checkpoint | null])[] => [
      ['whole', first, null],
      ['increment', second, first],
      ['fork', fork, first],
    ];
    beforeEach(async () => {
      here = await makeStore({ layout: LAYOUT }, 'here');
      there = await makeStore({ layout: LAYOUT }, 'there');
      const takeBig = async (workspace: string, label: string): Promise<Checkpoint> => {
        await writeFile(join(here.root, workspace, 'pkg_image', label), randomBytes(2 * MiB));
        return await here.store.take(workspace, label, FACTS);
      };
      await here.store.startEmpty('main');
      first = await takeBig('main', 'a');
      second = await takeBig('main', 'b');
      await here.store.startFrom(first, 'side');
      fork = await takeBig('side', 's');
    });

    afterEach(async () => {
      await here.cleanup();
      await there.cleanup();
    });

    async function refusal(work: Promise<unknown>): Promise<string> {
      try {
        await work;
      } catch (error) {
        if (error instanceof SnapshotStoreError) return error.code;
        throw error;
      }
      return 'none';
    }
    async function move(checkpoint: Checkpoint, base: Checkpoint | null): Promise<void> {
      await there.store.receive(checkpoint, base, await here.store.send(checkpoint, base));
    }
    async function takeSmall(area: StoreUnderTest, label: string): Promise<Checkpoint> {
      await writeFile(join(area.root, 'main', 'pkg_image', label), label);
      return await area.store.take('main', label, FACTS);
    }
    function* slices(bytes: Buffer): Generator<Buffer> {
      for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
    }
    async function* breaking(bytes: Buffer): AsyncGenerator<Buffer> {
      yield* slices(bytes);
      await Promise.resolve();
      throw new Error('the link is gone');
    }
    /** Resolves to how many bytes there were to be. */
    async function breakOff(checkpoint: Checkpoint, base: Checkpoint | null, share: number): Promise<number> {
      const bytes = await buffer(await here.store.send(checkpoint, base));
      const begin = bytes.subarray(0, Math.floor(bytes.length * share));
      const stream = Readable.from(breaking(begin), { objectMode: false });
      expect(await refusal(there.store.receive(checkpoint, base, stream))).toBe('BAD_STREAM');
      return bytes.length;
    }
    /** As an agent does. Resolves to how many bytes that took. */
    async function goOn(checkpoint: Checkpoint, base: Checkpoint | null): Promise<number> {
      const kept = await there.store.partial(checkpoint, base);
      const rest = kept === null ? null : await here.store.sendRest(checkpoint, base, kept.position);
      const bytes = await buffer(rest ?? (await here.store.send(checkpoint, base)));
      const stream = Readable.from(slices(bytes), { objectMode: false });
      await there.store.receive(checkpoint, base, stream, rest === null ? undefined : kept?.position);
      return bytes.length;
    }
    async function expectArrived(checkpoint: Checkpoint): Promise<void> {
      const { workspace } = checkpoint;
      const [come, sent] = await Promise.all([
        there.store.startFrom(checkpoint, workspace),
        here.store.startFrom(checkpoint, workspace),
      ]);
      expect(await describeTree(come.path)).toEqual(await describeTree(sent.path));
    }

    it.each([0, 0.3, 0.99])('is gone on with where the store can, cut at %d of it', async (share) => {
      for (const [, checkpoint, base] of parts()) {
        const before = await there.store.list(checkpoint.workspace);
        const all = await breakOff(checkpoint, base, share);
        expect(await there.reopen().list(checkpoint.workspace)).toEqual(before);
        const kept = await there.reopen().partial(checkpoint, base);
        if (share > 0) expect(kept !== null).toBe(keepsPartial);
        if (kept !== null) {
          expect(kept.position).toMatch(/^[A-Za-z0-9.]{1,100}$/);
          expect(kept.bytes / all).toBeGreaterThan(share - 0.2);
          expect(kept.bytes / all).toBeLessThanOrEqual(share);
        }
        const moved = await goOn(checkpoint, base);
        expect(moved / all).toBeLessThan(kept === null ? 1.01 : 1.2 - share);
        expect(await there.store.list(checkpoint.workspace)).toEqual([...before, checkpoint]);
        expect(await there.store.partial(checkpoint, base)).toBeNull();
      }
      await expectArrived(fork);
      await expectArrived(second);
    });

    it('may break off again, and again', async () => {
      const all = await breakOff(first, null, 0.3);
      const kept = await there.store.partial(first, null);
      const rest = kept === null ? null : await here.store.sendRest(first, null, kept.position);
      const bytes = await buffer(rest ?? (await here.store.send(first, null)));
      const stream = Readable.from(breaking(bytes.subarray(0, bytes.length / 2)), { objectMode: false });
      const position = rest === null ? undefined : kept?.position;
      expect(await refusal(there.store.receive(first, null, stream, position))).toBe('BAD_STREAM');
      const moved = await goOn(first, null);
      // Less than what the first one left; where in its last blocks a store is, is its own business.
      expect(moved / all).toBeLessThan(keepsPartial ? 0.65 : 1.01);
      expect(await there.store.list('main')).toEqual([first]);
      await expectArrived(first);
    });

    it.each(['whole', 'increment', 'fork'])(
      'is of that %s alone, and does not matter to anything else',
      async (kind) => {
        const [, checkpoint, base] = parts().find(([of]) => of === kind)!;
        const { workspace } = checkpoint;
        const other = kind === 'whole' ? first : { ...second, id: '1' };
        const uses: readonly (() => Promise<unknown>)[] = [
          () => there.store.startEmpty(workspace),
          () => there.store.destroy(workspace),
          ...(kind === 'whole' ? [] : [() => there.store.startFrom(first, workspace)]),
          ...(kind === 'whole' ? [] : [() => there.store.startEmpty('main')]),
          async () => {
            await there.store.startEmpty(workspace);
            await there.store.take(workspace, 'mine', {});
          },
        ];
        for (const use of keepsPartial ? uses : uses.slice(0, 1)) {
          await move(first, null);
          if (kind === 'whole') await there.store.destroy('main');
          await breakOff(checkpoint, base, 0.6);
          expect((await there.store.partial(checkpoint, base)) !== null).toBe(keepsPartial);
          if (kind !== 'whole') expect(await there.store.partial(other, base)).toBeNull();
          expect(await there.store.partial(checkpoint, kind === 'whole' ? second : null)).toBeNull();
          await use();
          expect(await there.store.partial(checkpoint, base)).toBeNull();
        }
      },
    );

    it('goes when another checkpoint comes instead', async () => {
      await breakOff(second, null, 0.6);
      await move(first, null);
      expect(await there.store.list('main')).toEqual([first]);
      expect(await there.store.partial(second, null)).toBeNull();
      await breakOff(second, first, 0.6);
      await there.store.startFrom(first, 'main');
      const third = await takeSmall(there, 'c');
      expect(await there.store.list('main')).toEqual([first, third]);
      expect(await there.store.partial(second, first)).toBeNull();
      await move(second, first);
      await expectArrived(second);
    });

    it('is of no use when the source has lost the checkpoint', async () => {
      await move(first, null);
      await breakOff(second, first, 0.6);
      await here.store.startFrom(first, 'main');
      const position = (await there.store.partial(second, first))?.position ?? '1.0.1000';
      expect(await refusal(here.store.sendRest(second, first, position))).toMatch(/NOT_FOUND|none/);
      const other = await takeSmall(here, 'other');
      await move(other, first);
      expect(await there.store.list('main')).toEqual([first, other]);
    });

    it('is gone on with from where it is only', async () => {
      await breakOff(first, null, 0.6);
      const kept = await there.store.partial(first, null);
      expect(kept !== null).toBe(keepsPartial);
      if (kept !== null) {
        const rest = (await here.store.sendRest(first, null, kept.position))!;
        expect(await refusal(there.store.receive(first, null, rest, '1.0.1'))).toBe('BAD_STREAM');
        expect(await there.store.partial(first, null)).toEqual(kept);
        // A rest is no stream by itself, nor is a whole one a rest.
        const again = (await here.store.sendRest(first, null, kept.position))!;
        expect(await refusal(there.store.receive(first, null, again))).toBe('BAD_STREAM');
        const whole = await here.store.send(first, null);
        expect(await refusal(there.store.receive(first, null, whole, kept.position))).toBe('BAD_STREAM');
        const other = (await here.store.sendRest(second, null, kept.position))!;
        expect(await refusal(there.store.receive(first, null, other, kept.position))).toBe('BAD_STREAM');
      }
      await goOn(first, null);
      await expectArrived(first);
    });

    it('is not sent behind a position that no store ever said', async () => {
      const most = `${2n ** 64n}`;
      for (const position of ['', '0', 'x'.repeat(100), '1.2', '1.2.3.4', `${most}.0.0`, '01.0.0', '1.-2.3'])
        expect(await here.store.sendRest(first, null, position)).toBeNull();
    });

    it('is never anything but of the checkpoint, whatever the position is', async () => {
      const most = 2n ** 64n - 1n;
      for (const position of ['0.0.0', '1.0.0', '7.131072.1', `${most}.${most}.${most}`, `3.${most}.0`]) {
        const rest = await here.store.sendRest(first, null, position);
        expect(rest === null || keepsPartial).toBe(true);
        const bytes = rest === null ? Buffer.alloc(0) : await buffer(rest).catch(() => Buffer.alloc(0));
        const whole = await buffer(await here.store.send(first, null));
        expect(bytes.length).toBeLessThanOrEqual(whole.length + 4096);
      }
    });
  });
}
