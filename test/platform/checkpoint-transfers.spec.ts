// Needs root, loop devices, a kernel with btrfs, btrfs-progs, and ZFS with a pool named in DC_TEST_POOL (scripts/with-zfs.sh).
import { encodeFacts, factsAt, type Checkpoint } from '#libs/plan';
import {
  BtrfsAreas,
  DirectoryAreas,
  endTransactionGroup,
  parseDatasetName,
  ZfsAreas,
  ZfsCommand,
  type Areas,
} from '#libs/snapshots';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { execa } from 'execa';
import { createHash, randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { endOfError } from '../../apps/agent/src/attempts/attempt-end.js';
import { describeTree } from '../../libs/engine/src/snapshot-store-trees-conformance.js';
import { planOf } from '../../libs/plan/src/testing.js';
import { AGENTS, CheckpointTransfers, TRANSFER_AREA } from '../support/checkpoint-transfers.js';

jest.setTimeout(300_000);

const MiB = 1024 ** 2;
const POOL = process.env['DC_TEST_POOL'] ?? 'DC_TEST_POOL';
const WORKSPACE = 'build_data';
/** Of the checkpoint that is moved; it is in files of 1 MiB, which nothing makes smaller. */
const BYTES = 24 * MiB;
const plan = planOf(['a', 'b']);

/** Where an agent's store could be: on a disk of that size. */
interface Place {
  readonly areas: Areas;
  /** A folder on that disk, outside of all areas. */
  readonly beside: string;
  /** All that the store has there, by name, and what is set of it. */
  readonly inventory: () => Promise<readonly string[]>;
  /** Resolves when what was removed is free, or nearer to it. */
  readonly settle: () => Promise<unknown>;
  readonly remove: () => Promise<void>;
}

/** Which the store finds out by itself. */
const CAN_GO_ON =
  (await execa('zfs', ['get', '-H', 'receive_resume_token', POOL], { reject: false })).exitCode === 0;

let made = 0;
const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');

async function filesIn(folder: string): Promise<readonly string[]> {
  const { stdout } = await execa('find', [folder, '-xdev', '-mindepth', '1', '-printf', '%P %y %s\n']);
  // That a workspace is ours is noted before the first byte of it comes, and stays.
  return lines(stdout)
    .filter((line) => !/ d \d+$|^ballast|\/\.workspace\.json f \d+$/.test(line))
    .toSorted();
}

async function onZfs(sizeBytes: number): Promise<Place> {
  const root = parseDatasetName(`${POOL}/transfer${(made += 1)}`);
  await execa('zfs', ['create', '-o', `quota=${sizeBytes}`, root]);
  const areas = new ZfsAreas({ root, layout: ['pkg_image'] });
  const beside = await areas.prepare();
  return {
    areas,
    beside,
    inventory: async () => {
      const { stdout } = await execa('zfs', [
        'get',
        '-Hp',
        '-r',
        '-o',
        'name,property,value,source',
        'all',
        root,
      ]);
      // What is kept back is there from the first transfer on, and what it holds changes.
      return lines(stdout).filter(
        (line) => / ?\t(local|received)$/.test(line) && !line.includes('/reserve\t'),
      );
    },
    settle: async () => await endTransactionGroup(root),
    remove: async () => {
      await areas.rest(TRANSFER_AREA);
      await execa('zfs', ['unmount', root]);
      await new ZfsCommand().zfsRetrying(['BUSY'], 'destroy', '-R', root);
    },
  };
}

async function inFolder(sizeBytes: number): Promise<Place> {
  const beside = await mkdtemp(join(tmpdir(), 'transfers-'));
  await execa('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes},mode=755`, 'tmpfs', beside]);
  const areas = new DirectoryAreas({ root: join(beside, 'store'), layout: ['pkg_image'] });
  await areas.prepare();
  return {
    areas,
    beside,
    inventory: async () => await filesIn(beside),
    settle: () => Promise.resolve(),
    remove: async () => {
      await execa('umount', [beside]);
      await rm(beside, { recursive: true });
    },
  };
}

async function onBtrfs(sizeBytes: number): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'transfers-'));
  const [image, beside] = [join(folder, 'image'), join(folder, 'disk')];
  await writeFile(image, '');
  await truncate(image, sizeBytes);
  await execa('mkfs.btrfs', ['--quiet', '--mixed', image]);
  await mkdir(beside);
  await execa('mount', ['-t', 'btrfs', '-o', 'loop', image, beside]);
  const areas = new BtrfsAreas({ root: join(beside, 'store'), layout: ['pkg_image'] });
  await areas.prepare();
  return {
    areas,
    beside,
    inventory: async () => {
      const { stdout } = await execa('btrfs', ['subvolume', 'list', beside]);
      return [
        ...lines(stdout).map((line) => line.replace(/^.* path /, 'subvolume ')),
        ...(await filesIn(beside)),
      ];
    },
    // By itself, btrfs gives space back after half a minute.
    settle: async () => await execa('sync', ['--file-system', beside]),
    remove: async () => {
      await execa('umount', [beside]);
      await rm(folder, { recursive: true });
    },
  };
}

/** Until nothing more can be written there. */
async function fill(folder: string): Promise<void> {
  for (const block of ['1M', '64K', '4K'])
    await execa(
      'dd',
      ['if=/dev/urandom', `of=${join(folder, `ballast${block}`)}`, `bs=${block}`, 'conv=fsync'],
      { reject: false },
    );
}

async function clear(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (name.startsWith('ballast')) await rm(join(folder, name));
}

const processesAt = async (path: string): Promise<readonly string[]> =>
  lines((await execa('ps', ['-eo', 'args'])).stdout).filter((line) => line.includes(path));
const mountsAt = async (path: string): Promise<readonly string[]> =>
  lines((await execa('findmnt', ['--list', '--noheadings', '--output', 'TARGET'])).stdout).filter((mount) =>
    mount.startsWith(`${path}/`),
  );

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((later) => setTimeout(later, 50));
}

describe.each<[string, (sizeBytes: number) => Promise<Place>]>([
  ['ZFS', onZfs],
  ['a folder', inFolder],
  ['btrfs', onBtrfs],
])('checkpoints from agent to agent, on %s', (kind, placeOf) => {
  let from: Place;
  let to: Place;
  let transfers: CheckpointTransfers;
  let first: Checkpoint;
  let second: Checkpoint;

  beforeEach(async () => {
    from = await placeOf(256 * MiB);
    to = await placeOf(128 * MiB);
    transfers = await CheckpointTransfers.between(from.areas, to.areas);
    // What is there once for all, and what is none of a transfer's business.
    await transfers.there.store.startEmpty('build_data.other');
    const { store } = transfers.here;
    const { path } = await store.startEmpty(WORKSPACE);
    await writeFile(join(path, 'pkg_image', 'first'), randomBytes(200_000));
    first = await store.take(WORKSPACE, '.step_a', factsOf(0, ''));
    for (let at = 0; at < BYTES / MiB; at += 1)
      await writeFile(join(path, 'pkg_image', `random${at}`), randomBytes(MiB));
    second = await store.take(WORKSPACE, '.step_b', factsOf(1, first.id));
  });
  afterEach(async () => {
    await transfers.stop();
    await to.remove();
    await from.remove();
  });

  function factsOf(boundary: number, previous: string): Checkpoint['facts'] {
    return encodeFacts(factsAt(plan.boundaries[boundary]!, previous, plan.digests, 'g1', new Date(1000)));
  }
  const held = async (): Promise<readonly Checkpoint[]> => await transfers.there.store.list(WORKSPACE);
  const treeOf = async ({ store }: CheckpointTransfers['here'], checkpoint: Checkpoint): Promise<unknown> =>
    await describeTree((await store.startFrom(checkpoint, WORKSPACE)).path);

  async function expectHonestOne(checkpoint: Checkpoint, base: Checkpoint | null): Promise<void> {
    expect(await transfers.fetch(checkpoint, base)).toMatchObject({ checkpoint, from: AGENTS.SOURCE });
    expect(await held()).toEqual(base === null ? [checkpoint] : [base, checkpoint]);
    expect(await treeOf(transfers.there, checkpoint)).toEqual(await treeOf(transfers.here, checkpoint));
  }

  describe.each<[string, boolean, readonly number[]]>([
    ['a whole one', false, [0, 0.5, 0.99]],
    ['an increment', true, [0.5]],
  ])('%s that finds the disk full', (_, isIncrement, shares) => {
    it.each(shares)('behind %d of it leaves nothing, and comes when there is room', async (share) => {
      const base = isIncrement ? first : null;
      if (base !== null) await transfers.fetch(base, null);
      const before = {
        inventory: await to.inventory(),
        mounts: await mountsAt(to.beside),
        held: await held(),
      };
      const { usedBytes } = await to.areas.space();
      const { held: isHeld, letGo } = await transfers.holdAfter(BYTES * share);
      if (share === 0) await fill(to.beside);
      const fetched = transfers.fetch(second, base).catch((error: unknown) => error);
      await isHeld;
      // What has passed is to have come, so that just the rest finds no room.
      await until(() => transfers.bytes >= BYTES * share * 0.95);
      await fill(to.beside);
      letGo();

      const error = await fetched;
      expect(error).toMatchObject({ code: 'NO_SPACE' });
      expect(endOfError(error, null)).toMatchObject({ kind: 'infrastructure', fault: 'no-space' });
      expect(transfers.bytes).toBeGreaterThanOrEqual(BYTES * share * 0.95);
      expect(transfers.failures).toEqual([]);
      expect(await held()).toEqual(before.held);
      await clear(to.beside);
      expect(await to.inventory()).toEqual(before.inventory);
      expect(await mountsAt(to.beside)).toEqual(before.mounts);
      await until(async () => (await processesAt(to.beside)).length === 0);
      await until(async () => {
        await to.settle();
        return (await to.areas.space()).usedBytes < usedBytes + 2 * MiB;
      });
      await expectHonestOne(second, base);
    });
  });

  describe('what another agent sends instead', () => {
    let honest: Buffer;
    let before: readonly string[];
    beforeEach(async () => {
      honest = await buffer(await transfers.here.store.send(first, null));
      before = await to.inventory();
    });

    const framed = (bytes: Buffer): Buffer => {
      const json = Buffer.from(JSON.stringify({ facts: first.facts }));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(json.length);
      return Buffer.concat([length, json, bytes]);
    };
    const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    const answer = (bytes: Buffer, digest = digestOf(bytes)) => {
      return (response: ServerResponse): void => {
        response.write(bytes);
        response.end(Buffer.from(digest, 'hex'));
      };
    };
    const flipped = (share: number): Buffer => {
      const bent = Buffer.from(honest);
      const at = Math.floor(bent.length * share);
      bent[at] = (bent[at] ?? 0) ^ 0x10;
      return bent;
    };
    const endless = (response: ServerResponse): void => {
      response.write(framed(honest));
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    };

    it.each<[string, () => (response: ServerResponse) => void]>([
      ['nothing', () => answer(framed(Buffer.alloc(0)))],
      ['half of it, which says that it is all', () => answer(framed(honest.subarray(0, honest.length / 2)))],
      ['all but the end', () => answer(framed(honest.subarray(0, honest.length - 10)))],
      ['one with another bit at its beginning', () => answer(framed(flipped(0.01)))],
      ['one with another bit in it', () => answer(framed(flipped(0.5)))],
      ['the right one under a wrong digest', () => answer(framed(honest), 'f'.repeat(64))],
      ['the right one without a digest', () => (response) => void response.end(framed(honest))],
      ['one that does not end', () => endless],
      ['something else', () => answer(framed(randomBytes(100_000)))],
    ])('is refused: %s; then the honest one comes', async (_, lie) => {
      transfers.tickets.maxBytes = 20 * MiB;
      await transfers.lieFirst(lie());
      expect(await transfers.fetch(first, null)).toMatchObject({ checkpoint: first, from: AGENTS.SOURCE });
      expect(transfers.failures.length).toBeGreaterThan(0);
      expect(await held()).toEqual([first]);
      expect(await treeOf(transfers.there, first)).toEqual(await treeOf(transfers.here, first));
    });

    it('leaves nothing while nobody else sends: another checkpoint than was asked for', async () => {
      const other = await buffer(await transfers.here.store.send(second, null));
      await transfers.lieFirst(answer(framed(other)));
      transfers.tickets.sources.pop();
      expect(await transfers.fetch(first, null)).toBeNull();
      expect(transfers.failures.join('\n')).toMatch(/announced|another|, not /);
      expect(await to.inventory()).toEqual(before);
    });
  });

  it.each([
    ['a whole one', false],
    ['an increment', true],
  ])('goes on with %s that was cut, where the store can', async (_, isIncrement) => {
    const base = isIncrement ? first : null;
    if (base !== null) await transfers.fetch(base, null);
    await transfers.cutAfter(BYTES * 0.4, BYTES * 0.4);
    const fetched = await transfers.fetch(second, base);
    expect(transfers.failures).toHaveLength(2);
    if (kind === 'ZFS' && CAN_GO_ON) expect(fetched?.bytes).toBeLessThan(BYTES * 0.5);
    else expect(fetched?.bytes).toBeGreaterThan(BYTES);
    expect(await held()).toEqual(base === null ? [second] : [base, second]);
    expect(await treeOf(transfers.there, second)).toEqual(await treeOf(transfers.here, second));
  });

  it('takes with it, when its area goes, what came of one that was cut', async () => {
    transfers.tickets.sources.splice(0);
    await transfers.lieFirst((response) => {
      void transfers.here.store.send(second, null).then(async (stream) => {
        const json = Buffer.from(JSON.stringify({ facts: second.facts }));
        const length = Buffer.alloc(4);
        length.writeUInt32BE(json.length);
        response.write(Buffer.concat([length, json]));
        response.write((await buffer(stream)).subarray(0, BYTES / 2), () => response.destroy());
      });
    });
    expect(await transfers.fetch(second, null)).toBeNull();
    const kept = await transfers.there.store.partial(second, null);
    expect(kept !== null).toBe(kind === 'ZFS' && CAN_GO_ON);
    expect(await held()).toEqual([]);
    await to.areas.rest(TRANSFER_AREA);
    await to.areas.destroy(TRANSFER_AREA);
    expect(await to.areas.list()).toEqual([]);
  });

  it('refuses a ticket that was used, one for another agent, and one for what another area has', async () => {
    const ref = { id: first.id, workspace: WORKSPACE, label: first.label };
    const leave = { receiver: AGENTS.RECEIVER, area: TRANSFER_AREA, checkpoint: ref, base: null };
    const used = transfers.tickets.issue(leave);
    expect(await transfers.show(used)).toBe(200);
    expect(await transfers.show(used)).toBe(403);
    expect(await transfers.show(transfers.tickets.issue(leave), AGENTS.LIAR)).toBe(403);
    for (const area of ['b-9876543210.default', 'b-0123456789.other'])
      expect(await transfers.show(transfers.tickets.issue({ ...leave, area }))).toBe(404);
    for (const checkpoint of [
      { ...ref, workspace: 'build_data.iso' },
      { ...ref, label: '.step_b' },
    ])
      expect(await transfers.show(transfers.tickets.issue({ ...leave, checkpoint }))).toBe(404);
    await expectHonestOne(first, null);
  });

  if (kind !== 'ZFS') return;
  it.each(['-p', '-R'])('takes no properties from a stream of zfs send %s', async (option) => {
    const dataset = (
      await execa('zfs', ['list', '-H', '-o', 'name', join(from.beside, TRANSFER_AREA, WORKSPACE)])
    ).stdout;
    // Unmounted, or ZFS would mount it there at once.
    await from.areas.rest(TRANSFER_AREA);
    for (const property of ['mountpoint=/etc', 'setuid=on', 'exec=on', 'readonly=off', 'canmount=noauto'])
      await execa('zfs', ['set', property, dataset]);
    const { stdout } = await execa('zfs', ['send', option, `${dataset}@.step_a`], { encoding: 'buffer' });
    const before = await to.inventory();
    await transfers.lieFirst((response) => {
      const json = Buffer.from(JSON.stringify({ facts: first.facts }));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(json.length);
      const bytes = Buffer.concat([length, json, Buffer.from(stdout)]);
      response.write(bytes);
      response.end(createHash('sha256').update(bytes).digest());
    });
    const [source] = transfers.tickets.sources.splice(1);
    expect(await transfers.fetch(first, null)).toBeNull();
    expect(transfers.failures[0]).toMatch(/no plain ZFS stream/);
    expect(await to.inventory()).toEqual(before);
    for (const property of ['canmount=on', 'mountpoint=none']) await execa('zfs', ['set', property, dataset]);
    await execa('zfs', ['inherit', 'mountpoint', dataset]);
    transfers.tickets.sources.splice(0, 1, source!);
    await expectHonestOne(first, null);
    const { stdout: received } = await execa('zfs', [
      'get',
      '-Hp',
      '-r',
      '-o',
      'value,source',
      'mountpoint,setuid,exec',
      `${POOL}/transfer${made}/${TRANSFER_AREA}/${WORKSPACE}`,
    ]);
    expect(received).not.toMatch(/\/etc|local|received/);
  });
});
