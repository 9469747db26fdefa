// Needs root and ZFS, with a pool named in DC_TEST_POOL (scripts/with-zfs.sh).
import type { SnapshotStore } from '#libs/engine';
import type { Checkpoint } from '#libs/plan';
import {
  endTransactionGroup,
  parseDatasetName,
  ZfsAreas,
  ZfsCommand,
  type DatasetName,
} from '#libs/snapshots';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { execa } from 'execa';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { IS_DEEP } from '../support/depth.js';
import { areasConformance, type AreasUnderTest } from '../../libs/snapshots/src/areas-conformance.js';

jest.setTimeout(300_000);

const MiB = 1024 ** 2;
let made = 0;

interface ZfsAreasUnderTest extends AreasUnderTest {
  readonly dataset: DatasetName;
}

async function zfs(...args: readonly string[]): Promise<string> {
  return (await execa('zfs', args)).stdout.trim();
}

async function makeAreas(): Promise<ZfsAreasUnderTest> {
  const dataset = parseDatasetName(`${process.env['DC_TEST_POOL'] ?? ''}/areas${++made}`);
  const areas = new ZfsAreas({ root: dataset, layout: ['pkg_image', 'tmp'] });
  const path = await areas.prepare();
  return {
    areas,
    dataset,
    root: path,
    makeForeign: async (name) => {
      await zfs('create', `${dataset}/${name}`);
      await writeFile(join(path, name, 'precious'), 'x');
      return join(path, name);
    },
    cleanup: async () => {
      await new ZfsCommand().zfsRetrying(['BUSY'], 'destroy', '-R', dataset);
    },
  };
}

areasConformance(makeAreas, { modelRuns: IS_DEEP ? 10 : 4 });

/** Which the store finds out by itself. */
const CAN_GO_ON =
  (
    await execa('zfs', ['get', '-H', 'receive_resume_token', process.env['DC_TEST_POOL'] ?? ''], {
      reject: false,
    })
  ).exitCode === 0;

describe('what an area has of a checkpoint whose stream broke off', () => {
  const [FROM, INTO] = ['b-0000000001.default', 'b-0000000002.default'] as const;
  let under: ZfsAreasUnderTest;
  let [from, into]: SnapshotStore[] = [];
  let [a, b, lane]: Checkpoint[] = [];
  beforeEach(async () => {
    under = await makeAreas();
    from = (await under.areas.open(FROM)).store;
    into = (await under.areas.open(INTO)).store;
    const take = async (workspace: string, label: string): Promise<Checkpoint> => {
      await writeFile(join(under.root, FROM, workspace, 'tmp', label), randomBytes(2 * MiB));
      return await from!.take(workspace, label, {});
    };
    await from.startEmpty('main');
    [a, b] = [await take('main', 'a'), await take('main', 'b')];
    await from.startEmpty('lane');
    lane = await take('lane', 'a');
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await under.cleanup();
  });

  async function breakOff(checkpoint: Checkpoint, base: Checkpoint | null): Promise<void> {
    const bytes = await buffer(await from!.send(checkpoint, base));
    const stream = Readable.from([bytes.subarray(0, MiB)], { objectMode: false });
    await expect(into!.receive(checkpoint, base, stream)).rejects.toMatchObject({ code: 'BAD_STREAM' });
    expect((await into!.partial(checkpoint, base)) !== null).toBe(CAN_GO_ON);
  }
  const marks = async (): Promise<readonly string[]> =>
    (await zfs('get', '-H', '-o', 'property', 'all', `${under.dataset}/${INTO}`))
      .split('\n')
      .filter((property) => property.startsWith('org.distrofarm:receiving'));

  it.each(['whole', 'increment'])('goes after a day: a %s', async (kind) => {
    const [checkpoint, base] = kind === 'whole' ? [a!, null] : [b!, a!];
    if (base !== null) await into!.receive(base, null, await from!.send(base, null));
    await breakOff(checkpoint, base);
    await under.areas.rest(INTO);
    expect((await into!.partial(checkpoint, base)) !== null).toBe(CAN_GO_ON);
    const now = Date.now();
    jest.spyOn(Date, 'now').mockReturnValue(now + 25 * 60 * 60 * 1000);
    expect(await into!.partial(checkpoint, base)).toBeNull();
    await under.areas.rest(INTO);
    jest.restoreAllMocks();
    expect(await into!.partial(checkpoint, base)).toBeNull();
    expect(await under.areas.workspaces(INTO)).toEqual(base === null ? [] : ['main']);
    expect(await marks()).toEqual([]);
    await into!.receive(checkpoint, base, await from!.send(checkpoint, base));
    expect(await into!.list('main')).toEqual(base === null ? [checkpoint] : [base, checkpoint]);
  });

  it('is known of each workspace, and goes with the first other use of it', async () => {
    await breakOff(a!, null);
    await breakOff(lane!, null);
    const halves = CAN_GO_ON ? ['lane', 'main'] : [];
    expect((await under.areas.workspaces(INTO)).toSorted()).toEqual(halves);
    expect((await into!.partial(a!, null)) !== null).toBe(CAN_GO_ON);
    expect(await marks()).toHaveLength(halves.length);
    await into!.startEmpty('lane');
    expect(await marks()).toHaveLength(CAN_GO_ON ? 1 : 0);
    await into!.destroy('main');
    expect(await marks()).toEqual([]);
    expect(await under.areas.workspaces(INTO)).toEqual(['lane']);
    await breakOff(a!, null);
    await under.areas.destroy(INTO);
    expect(await under.areas.list()).toEqual([FROM]);
  });
});

describe('what an area has set aside for another', () => {
  const [FROM, INTO] = ['b-0000000001.default', 'b-0000000002.default'] as const;
  let under: ZfsAreasUnderTest;
  let store: SnapshotStore;
  let checkpoints: readonly Checkpoint[];
  let [a, b, c]: Checkpoint[] = [];
  /** Has main with checkpoints a, b and c, of which `c` is forked into another area. */
  beforeEach(async () => {
    under = await makeAreas();
    ({ store } = await under.areas.open(FROM));
    await store.startEmpty('main');
    const taken: Checkpoint[] = [];
    for (const label of ['a', 'b', 'c']) {
      await writeFile(path(FROM, 'tmp/state'), label);
      taken.push(await store.take('main', label, { of: label }));
    }
    checkpoints = taken;
    [a, b, c] = taken;
    await under.areas.fork({ area: FROM, checkpoint: c! }, { area: INTO, workspace: 'main' });
  });
  afterEach(async () => under.cleanup());

  const path = (area: string, ...below: readonly string[]): string =>
    join(under.root, area, 'main', ...below);
  const main = (area: string): string => `${under.dataset}/${area}/main`;
  const asides = async (): Promise<readonly string[]> =>
    (await zfs('list', '-H', '-r', '-t', 'all', '-o', 'name', under.dataset))
      .split('\n')
      .filter((name) => name.includes('/.'))
      .map((name) => name.replace(/^.*@/, '@'));
  const value = async (property: string, dataset: string): Promise<string> =>
    await zfs('get', '-Hp', '-o', 'value', property, dataset);
  const state = async (area: string): Promise<string> => await readFile(path(area, 'tmp/state'), 'utf8');
  const filled = async (area: string): Promise<void> =>
    writeFile(path(area, 'tmp/big'), randomBytes(16 * MiB));

  it('is what that needs, and no more', async () => {
    await filled(FROM);
    await store.take('main', 'd', {});
    await writeFile(path(FROM, 'tmp/big2'), randomBytes(16 * MiB));
    await store.startFrom(a!, 'main');
    expect((await asides()).slice(1)).toEqual(['@c']);
    // ZFS frees behind one's back.
    while (Number(await value('used', under.dataset)) > 80 * MiB) await endTransactionGroup(under.dataset);
    const mounted = (await zfs('list', '-H', '-r', '-o', 'name,mounted,canmount', under.dataset)).split('\n');
    expect(mounted.filter((line) => line.includes('/.aside.'))).toEqual([
      expect.stringMatching(/\tno\toff$/),
    ]);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['goes back', async () => openedStore(INTO).then(async (into) => into.startEmpty('main'))],
    ['is destroyed', async () => openedStore(INTO).then(async (into) => into.destroy('main'))],
    ['goes with its area', async () => under.areas.destroy(INTO)],
    [
      'is replaced',
      async () => under.areas.fork({ area: FROM, checkpoint: a! }, { area: INTO, workspace: 'main' }),
    ],
    [
      'goes by other ways',
      async () => {
        await under.areas.rest(INTO);
        await new ZfsCommand().zfsRetrying(['BUSY'], 'destroy', main(INTO));
        await under.areas.rest(FROM);
      },
    ],
  ])('goes when the last that needs it %s', async (_, work) => {
    await store.startFrom(a!, 'main');
    expect(await asides()).not.toEqual([]);
    await work();
    expect(await asides()).toEqual([]);
    expect(await store.list('main')).toEqual([a]);
  });

  const openedStore = async (area: string): Promise<SnapshotStore> => (await under.areas.open(area)).store;

  it('tells by whom the area is needed, and leaves what somebody else has made of it', async () => {
    await store.startFrom(b!, 'main');
    const [aside] = await asides();
    const theirs = `${under.dataset}_theirs`;
    await zfs('clone', `${aside ?? ''}@c`, theirs);
    await expect(under.areas.destroy(FROM)).rejects.toMatchObject({
      code: 'PINNED',
      message: expect.stringContaining(`${INTO}, ${theirs}`),
    });
    await under.areas.destroy(INTO);
    await expect(under.areas.destroy(FROM)).rejects.toMatchObject({ code: 'PINNED' });
    expect(await value('origin', theirs)).toMatch(/@c$/);
    await new ZfsCommand().zfsRetrying(['BUSY'], 'destroy', theirs);
    await under.areas.destroy(FROM);
    expect(await under.areas.list()).toEqual([]);
  });

  it('is not made where a clone of somebody else is in the way as well', async () => {
    await zfs('clone', `${main(FROM)}@b`, `${main(INTO)}2`);
    await expect(store.startFrom(a!, 'main')).rejects.toMatchObject({ code: 'FOREIGN_SNAPSHOTS' });
    await new ZfsCommand().zfsRetrying(['BUSY'], 'destroy', `${main(INTO)}2`);
    await zfs('hold', 'kept', `${main(FROM)}@c`);
    await expect(store.startFrom(a!, 'main')).rejects.toMatchObject({ code: 'PINNED' });
    await zfs('release', 'kept', `${main(FROM)}@c`);
    expect(await asides()).toEqual([]);
    expect(await store.list('main')).toEqual(checkpoints);
  });

  it('is made by a checkpoint that comes in on an earlier one', async () => {
    const other = (await under.areas.open('b-0000000003.v')).store;
    await other.receive(a!, null, await store.send(a!, null));
    await other.startFrom(a!, 'main');
    const d = await other.take('main', 'd', {});
    await store.receive(d, a!, await other.send(d, a!));
    expect(await store.list('main')).toEqual([a, d]);
    const cut = await other.send(d, a!);
    await expect(store.receive({ ...d, id: '1' }, a!, cut)).rejects.toMatchObject({ code: 'BAD_STREAM' });
    await store.startFrom(a!, 'main');
    expect([await state(FROM), await state(INTO)]).toEqual(['a', 'c']);
  });

  it('is made on a full pool, too', async () => {
    await zfs('set', `quota=${256 * MiB}`, under.dataset);
    await store.startFrom(c!, 'main');
    const fill = async (): Promise<void> => {
      for (let n = 0; ; n++) await writeFile(path(FROM, `tmp/big${n}`), randomBytes(4 * MiB));
    };
    await expect(fill()).rejects.toMatchObject({ errno: expect.any(Number) });
    await store.startFrom(a!, 'main');
    expect([await state(FROM), await state(INTO)]).toEqual(['a', 'c']);
    expect(await store.list('main')).toEqual([a]);
    await writeFile(path(FROM, 'tmp/again'), randomBytes(4 * MiB));
  });

  const ofInto = async (): Promise<Checkpoint> => await (await openedStore(INTO)).take('main', 'of-into', {});

  const STAGES = ['clone', 'promote', 'destroy', 'clone again', 'set', 'promote again'] as const;

  /** What a process leaves that is killed in the middle of setting main back to `a`. */
  const cutShort = async (after: (typeof STAGES)[number]): Promise<void> => {
    const aside = `${under.dataset}/${FROM}/.aside.x`;
    const off = ['-o', 'canmount=off'];
    const stages = [
      ['clone', '-o', 'org.distrofarm:aside-of=main', ...off, `${main(FROM)}@c`, aside],
      ['promote', aside],
      ['destroy', main(FROM)],
      ['clone', '-o', 'org.distrofarm:role=workspace', ...off, `${aside}@a`, main(FROM)],
      ['set', 'canmount=on', main(FROM)],
      ['promote', main(FROM)],
    ].slice(0, STAGES.indexOf(after) + 1);
    await under.areas.rest(FROM);
    for (const stage of stages) await new ZfsCommand().zfsRetrying(['BUSY'], ...stage);
  };

  it.each(STAGES)('is put back, or made, when the process was killed after the %s', async (after) => {
    await cutShort(after);
    await under.areas.rest(FROM);
    const isMade = STAGES.indexOf(after) > STAGES.indexOf('destroy');
    expect(await under.areas.workspaces(FROM)).toEqual(['main']);
    expect(await store.list('main')).toEqual(isMade ? [a] : checkpoints);
    expect((await asides()).slice(1)).toEqual(isMade ? ['@c'] : []);
    await store.startFrom(a!, 'main');
    expect([await state(FROM), await state(INTO)]).toEqual(['a', 'c']);
  });

  const after = async (work: () => Promise<unknown>, left: readonly string[]): Promise<void> => {
    await work();
    expect((await store.list('main')).map(({ label }) => label)).toEqual(left);
    expect(await state(INTO)).toBe('c');
    await under.areas.destroy(FROM).catch(() => undefined);
    await under.areas.destroy(INTO);
    await under.areas.destroy(FROM);
    expect(await zfs('list', '-H', '-r', '-o', 'name', under.dataset)).not.toContain(FROM);
  };

  /** One in the first half, and one in the second; all of them in depth. */
  const stages = (turn: number): readonly (typeof STAGES)[number][] =>
    STAGES.filter((_, at) => IS_DEEP || at % 3 === turn % 3);

  it.each(stages(0))(
    'is no matter to what comes next after a kill after the %s: going back',
    async (stage) => {
      await cutShort(stage);
      await after(async () => store.startFrom(a!, 'main'), ['a']);
    },
  );
  it.each(stages(1))(
    'is no matter to what comes next after a kill after the %s: a new start',
    async (stage) => {
      await cutShort(stage);
      await after(async () => store.startEmpty('main'), []);
    },
  );
  it.each(stages(2))('is no matter to what comes next after a kill after the %s: its end', async (stage) => {
    await cutShort(stage);
    await after(async () => under.areas.destroy(FROM).catch(() => undefined), []);
  });
  it.each(stages(3))('is no matter to what comes next after a kill after the %s: a fork', async (stage) => {
    await cutShort(stage);
    const from = { area: INTO, checkpoint: await ofInto() };
    const work = async (): Promise<unknown> => under.areas.fork(from, { area: FROM, workspace: 'main' });
    await writeFile(path(INTO, 'tmp/state'), 'c');
    await after(work, []);
  });
});
