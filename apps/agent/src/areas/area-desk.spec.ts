import { beforeEach, describe, expect, it } from '@jest/globals';
import { SnapshotStore, SnapshotStoreError, type Space, type Workspace } from '#libs/engine';
import type { Checkpoint, CheckpointFacts } from '#libs/plan';
import { Areas, type CheckpointOfArea, type WorkspaceOfArea } from '#libs/snapshots';
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { pino } from 'pino';
import { AreaDesk, type EnteredArea } from './area-desk.js';

const AREA = 'b-0123456789.default';

function checkpoint(workspace: string, label: string): Checkpoint {
  return { id: `${workspace}@${label}`, workspace, label, facts: {} };
}

/** Says what it did. A stream is taken in when it has ended. */
class NotedStore extends SnapshotStore {
  override readonly description = 'notes';
  readonly held: Checkpoint[] = [];
  /** Beginnings and ends, in their order. */
  readonly notes: string[] = [];
  /** What `send` waits for. */
  found: Promise<void> = Promise.resolve();

  override async startEmpty(workspace: string): Promise<Workspace> {
    return await this.#note(`start ${workspace}`, () => Promise.resolve({ name: workspace, path: '/' }));
  }

  override async startFrom(_: Checkpoint, workspace: string): Promise<Workspace> {
    return await this.startEmpty(workspace);
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

  override async take(workspace: string, label: string, facts: CheckpointFacts): Promise<Checkpoint> {
    return await this.#note(`take ${label}`, () => {
      const taken = { ...checkpoint(workspace, label), facts };
      this.held.push(taken);
      return Promise.resolve(taken);
    });
  }

  override list(workspace: string): Promise<readonly Checkpoint[]> {
    return Promise.resolve(this.held.filter((each) => each.workspace === workspace));
  }

  override isAsTaken(checkpoint: Checkpoint): Promise<boolean> {
    return Promise.resolve(this.held.includes(checkpoint));
  }

  override destroy(): Promise<void> {
    return Promise.resolve();
  }

  override space(): Promise<Space> {
    return Promise.resolve({ freeBytes: 1, usedBytes: 1 });
  }

  override async send(): Promise<Readable> {
    return await this.#note('send', async () => {
      await this.found;
      return new PassThrough();
    });
  }

  override async receive(wanted: Checkpoint, _: Checkpoint | null, stream: Readable): Promise<void> {
    await this.#note(`receive ${wanted.label}`, async () => {
      await finished(stream.resume());
      this.held.push(wanted);
    });
  }

  async #note<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.notes.push(what);
    try {
      const result = await work();
      this.notes.push(`${what}: done`);
      return result;
    } catch (error) {
      this.notes.push(`${what}: broken off`);
      throw error;
    }
  }
}

class OneArea extends Areas {
  override readonly kind = 'directory';
  override readonly description = 'one';
  readonly destroyed: string[] = [];
  constructor(readonly store: SnapshotStore) {
    super();
  }
  override prepare = () => Promise.resolve('/');
  override open = () => Promise.resolve({ name: AREA, path: '/', store: this.store });
  override list = () => Promise.resolve([AREA]);
  override workspaces = () => Promise.resolve([]);
  override rest = () => Promise.resolve();
  override fork = () => Promise.reject(new Error('there is but one'));
  override openTree: Areas['openTree'] = () =>
    Promise.resolve({ path: '/tree', close: () => Promise.resolve() });
  override destroy = (name: string) => {
    this.destroyed.push(name);
    return Promise.resolve();
  };
  override usedBytes = () => Promise.resolve(0);
  override space = () => this.store.space();
}

describe('what comes in beside the jobs of an area', () => {
  let store: NotedStore;
  let areas: OneArea;
  let desk: AreaDesk;
  let visitor: EnteredArea;
  beforeEach(async () => {
    store = new NotedStore();
    areas = new OneArea(store);
    desk = new AreaDesk(areas, pino({ level: 'silent' }));
    visitor = await desk.enter(AREA);
  });

  /** Resolves when the store reads. */
  const incoming = async (
    wanted: Checkpoint,
    base: Checkpoint | null = null,
  ): Promise<{ readonly stream: PassThrough; readonly received: Promise<void> }> => {
    const stream = new PassThrough();
    const received = visitor.beside.receive(wanted, base, stream);
    const over = received.catch(() => undefined);
    stream.write('some');
    await Promise.race([once(stream, 'resume'), over]);
    return { stream, received };
  };

  it('holds up no job’s checkpoint', async () => {
    const job = await desk.enter(AREA, 'lane');
    const { stream, received } = await incoming(checkpoint('main', 'x'));
    await job.store.take('lane', 'y', {});
    stream.end();
    await received;
    expect(store.notes).toEqual(['receive x', 'take y', 'take y: done', 'receive x: done']);
  });

  it.each<[string, (job: EnteredArea) => Promise<unknown>]>([
    ['starts', async (job) => await job.store.startEmpty('lane')],
    ['goes back', async (job) => await job.store.startFrom(checkpoint('lane', 'z'), 'lane')],
    [
      'does several things at once',
      async (job) => await job.exclusively('lane', async (own) => await own.startEmpty('lane')),
    ],
  ])('is broken off, and gone, before a job of another workspace %s', async (_, work) => {
    const job = await desk.enter(AREA, 'lane');
    const { received } = await incoming(checkpoint('main', 'x'));
    await work(job);
    await expect(received).rejects.toThrow('a job of the area comes first');
    expect(store.notes).toEqual(['receive x', 'receive x: broken off', 'start lane', 'start lane: done']);
  });

  it('is broken off, and gone, when a job of its workspace comes', async () => {
    const { received } = await incoming(checkpoint('main', 'x'));
    const job = await desk.enter(AREA, 'main');
    await expect(received).rejects.toThrow('a job of the area comes first');
    expect(store.notes).toEqual(['receive x', 'receive x: broken off']);
    await job.leave();
  });

  it('is let be by one that only looks', async () => {
    const { stream, received } = await incoming(checkpoint('main', 'x'));
    const other = await desk.visit(AREA);
    expect(await other.store.list('main')).toEqual([]);
    stream.end();
    await received;
    await other.leave();
  });

  it('is broken off when the area is to go', async () => {
    const { received } = await incoming(checkpoint('main', 'x'));
    const gone = desk.drop(AREA, () => undefined);
    await expect(received).rejects.toThrow('a job of the area comes first');
    await gone;
    await visitor.leave();
    expect(areas.destroyed).toEqual([AREA]);
  });

  it.each<[string, string, Checkpoint | null, boolean]>([
    ['nothing into the workspace of a job', 'main', null, false],
    ['the next one of another workspace', 'lane', checkpoint('lane', 'b'), true],
    ['nothing for which a newer one would go', 'lane', checkpoint('lane', 'a'), false],
    ['nothing for which all would go', 'lane', null, false],
    ['the first one of a workspace that is not there', 'new', null, true],
  ])('while a job works: %s', async (_, workspace, base, accepted) => {
    store.held.push(checkpoint('lane', 'a'), checkpoint('lane', 'b'));
    await desk.enter(AREA, 'main');
    const { stream, received } = await incoming(checkpoint(workspace, 'x'), base);
    stream.end();
    if (accepted) await received;
    else await expect(received).rejects.toMatchObject({ code: 'BUSY' });
  });

  it('may replace what is there when nobody works', async () => {
    store.held.push(checkpoint('main', 'a'));
    const job = await desk.enter(AREA, 'main');
    await job.leave();
    const { stream, received } = await incoming(checkpoint('main', 'x'));
    stream.end();
    await received;
  });
});

describe('what an area sends', () => {
  it('holds up no checkpoint, however long it is looked for', async () => {
    const store = new NotedStore();
    const desk = new AreaDesk(new OneArea(store), pino({ level: 'silent' }));
    const job = await desk.enter(AREA, 'main');
    let find = (): void => undefined;
    store.found = new Promise((resolve) => (find = resolve));
    const sent = job.store.send(checkpoint('main', 'a'), null);
    await job.store.take('main', 'b', {});
    find();
    expect((await sent).destroyed).toBe(false);
  });

  it.each<[string, (job: EnteredArea) => Promise<unknown>]>([
    ['at once', async (job) => await job.store.startEmpty('main')],
    [
      'among several things',
      async (job) => await job.exclusively('main', async (own) => await own.startEmpty('main')),
    ],
  ])('is cut off when what it is of may go, also before it has begun, %s', async (_, start) => {
    const store = new NotedStore();
    const desk = new AreaDesk(new OneArea(store), pino({ level: 'silent' }));
    const job = await desk.enter(AREA, 'main');
    const first = await job.store.send(checkpoint('main', 'a'), null);
    let find = (): void => undefined;
    store.found = new Promise((resolve) => (find = resolve));
    const second = job.store.send(checkpoint('main', 'a'), null);
    const started = start(job);
    const refused = expect(second).rejects.toThrow('the checkpoint may go');
    await expect(once(first, 'end')).rejects.toThrow('the checkpoint may go');
    find();
    await refused;
    await started;
    expect(store.notes.slice(-2)).toEqual(['start main', 'start main: done']);
  });
});

/** Says what was done, in which area. What has a gate waits for it. */
class NotedAreas extends Areas {
  override readonly kind = 'zfs';
  override readonly description = 'notes';
  readonly notes: string[] = [];
  readonly gates = new Map<string, Promise<void>>();
  /** Areas that others go on from, with those. */
  readonly needed = new Map<string, Set<string>>();
  readonly held = new Set<string>();

  override prepare = () => Promise.resolve('/');
  override open = (name: string) => Promise.resolve({ name, path: '/', store: new StoreOfArea(name, this) });
  override list = () => Promise.resolve([]);
  override workspaces = () => Promise.resolve([]);
  override rest = (name: string) => this.note(`rest ${name}`);
  override usedBytes = () => Promise.resolve(0);
  override space = () => Promise.resolve({ freeBytes: 1, usedBytes: 1 });

  override fork = async (from: CheckpointOfArea, to: WorkspaceOfArea) => {
    await this.note(`fork ${from.area} ${to.area}`);
    return { name: to.workspace, path: '/' };
  };

  override openTree = async ({ area, checkpoint }: CheckpointOfArea) => {
    await this.note(`open ${area} ${checkpoint.label}`);
    return { path: `/${area}`, close: () => this.note(`close ${area}`) };
  };

  override destroy = async (name: string) => {
    if ((this.needed.get(name)?.size ?? 0) > 0) throw new SnapshotStoreError('PINNED', `${name} is needed`);
    await this.note(`destroy ${name}`);
    for (const users of this.needed.values()) users.delete(name);
  };

  async note(what: string): Promise<void> {
    this.notes.push(what);
    await this.gates.get(what);
    this.notes.push(`${what}: done`);
  }

  /** Resolves to what opens it. */
  close(what: string): () => void {
    let open = (): void => undefined;
    this.gates.set(what, new Promise((resolve) => (open = resolve)));
    return open;
  }

  async until(note: string): Promise<void> {
    while (!this.notes.includes(note)) await new Promise((later) => setImmediate(later));
  }
}

class StoreOfArea extends NotedStore {
  constructor(
    private readonly area: string,
    private readonly areas: NotedAreas,
  ) {
    super();
  }

  override async startEmpty(workspace: string): Promise<Workspace> {
    await this.areas.note(`start ${this.area}`);
    return { name: workspace, path: '/' };
  }

  override async take(workspace: string, label: string): Promise<Checkpoint> {
    await this.areas.note(`take ${this.area}`);
    return checkpoint(workspace, label);
  }

  override async receive(wanted: Checkpoint, base: Checkpoint | null): Promise<void> {
    await this.areas.note(`receive ${this.area}`);
    await super.receive(wanted, base, new PassThrough().end());
  }
}

describe('a fork of another area', () => {
  let areas: NotedAreas;
  let desk: AreaDesk;
  beforeEach(() => {
    areas = new NotedAreas();
    desk = new AreaDesk(areas, pino({ level: 'silent' }));
  });
  const of = (area: string): CheckpointOfArea => ({ area, checkpoint: checkpoint('main', 'x') });
  const enter = async (area: string): Promise<EnteredArea> => await desk.enter(area, 'main');

  it.each<[string, (job: EnteredArea) => Promise<unknown>]>([
    ['take a', async (job) => await job.store.take('main', 'y', {})],
    [
      'receive a',
      async (job) => await job.store.receive(checkpoint('new', 'y'), null, new PassThrough().end()),
    ],
  ])('does not wait for a job there that drops nothing: %s', async (note, work) => {
    const [a, b] = [await enter('a'), await enter('b')];
    const open = areas.close(note);
    const working = work(a);
    await areas.until(note);
    expect(await b.fork(of('a'), 'main')).toEqual({ name: 'main', path: '/' });
    open();
    await working;
    expect(areas.notes).toEqual([note, 'fork a b', 'fork a b: done', `${note}: done`]);
  });

  it.each<[string, (job: EnteredArea) => Promise<unknown>]>([
    ['at once', async (job) => await job.store.startEmpty('main')],
    ['goes back', async (job) => await job.store.startFrom(checkpoint('main', 'a'), 'main')],
    [
      'among several things',
      async (job) => await job.exclusively('main', async (own) => await own.startEmpty('main')),
    ],
  ])('waits for what drops checkpoints there, which waits for it: %s', async (_, start) => {
    const [a, b] = [await enter('a'), await enter('b')];
    const open = areas.close('start a');
    const started = start(a);
    await areas.until('start a');
    const forked = b.fork(of('a'), 'main');
    // It has come as far as it can.
    await new Promise((later) => setImmediate(later));
    const again = start(a);
    open();
    await Promise.all([started, forked, again]);
    const [starts, fork] = [
      ['start a', 'start a: done'],
      ['fork a b', 'fork a b: done'],
    ];
    expect(areas.notes).toEqual([...starts, ...fork, ...starts]);
  });

  it('is not waited for by a checkpoint there', async () => {
    const [a, b] = [await enter('a'), await enter('b')];
    const open = areas.close('fork a b');
    const forked = b.fork(of('a'), 'main');
    await areas.until('fork a b');
    await a.store.take('main', 'y', {});
    open();
    await forked;
    expect(areas.notes).toEqual(['fork a b', 'take a', 'take a: done', 'fork a b: done']);
  });

  it('goes crosswise, in a ring, and with what drops in between', async () => {
    const names = ['a', 'b', 'c'];
    const jobs = await Promise.all(names.map(enter));
    const work = [1, 2, 0].flatMap((shift) =>
      jobs.flatMap((job, at) => [
        job.fork(of(names[(at + shift) % names.length]!), 'main'),
        job.store.startEmpty('main'),
      ]),
    );
    await Promise.all(work);
    expect(areas.notes).toHaveLength(2 * work.length);
  });

  it('is refused of an area that is to go', async () => {
    const visitor = await desk.enter('a');
    const b = await enter('b');
    await desk.drop('a', () => undefined);
    await expect(b.fork(of('a'), 'main')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(areas.notes).toEqual([]);
    await visitor.leave();
    expect(areas.notes).toEqual(['destroy a', 'destroy a: done']);
  });

  it('keeps the area until it is made', async () => {
    const b = await enter('b');
    const open = areas.close('fork a b');
    const forked = b.fork(of('a'), 'main');
    await areas.until('fork a b');
    await desk.drop('a', () => areas.notes.push('a is gone'));
    expect(areas.notes).toEqual(['fork a b']);
    open();
    await forked;
    expect(areas.notes.slice(1)).toEqual(['fork a b: done', 'destroy a', 'destroy a: done', 'a is gone']);
  });

  it('leaves an area at rest that nobody else uses', async () => {
    const b = await enter('b');
    await b.fork(of('a'), 'main');
    expect(areas.notes.slice(2)).toEqual(['rest a', 'rest a: done']);
  });

  it('keeps the area that it needs, which goes after it', async () => {
    areas.needed.set('a', new Set(['b'])).set('b', new Set(['c']));
    const gone: string[] = [];
    const drop = async (area: string): Promise<void> => desk.drop(area, (name) => gone.push(name));
    await drop('a');
    await drop('b');
    await drop('a');
    expect(gone).toEqual([]);
    await drop('c');
    expect(gone).toEqual(['c', 'b', 'a']);
  });

  it('lets the area go that it has needed when its job has left', async () => {
    const b = await enter('b');
    areas.needed.set('a', new Set(['b']));
    const gone: string[] = [];
    await desk.drop('a', (name) => gone.push(name));
    areas.needed.get('a')?.clear();
    await b.leave();
    expect(gone).toEqual(['a']);
  });

  it('does not let go what a job has come back to', async () => {
    areas.needed.set('a', new Set(['b']));
    await desk.drop('a', () => areas.notes.push('a is gone'));
    const a = await enter('a');
    await desk.drop('b', () => areas.notes.push('b is gone'));
    await a.leave();
    expect(areas.notes).toEqual(['destroy b', 'destroy b: done', 'b is gone', 'rest a', 'rest a: done']);
  });
});

describe('reading a checkpoint', () => {
  let store: NotedStore;
  let areas: OneArea;
  let desk: AreaDesk;
  const events: string[] = [];
  const held = checkpoint('main', 'a');
  beforeEach(() => {
    store = new NotedStore();
    store.held.push(held);
    areas = new OneArea(store);
    desk = new AreaDesk(areas, pino({ level: 'silent' }));
    events.length = 0;
    areas.openTree = () => {
      events.push('open');
      return Promise.resolve({
        path: '/tree',
        close: () => {
          events.push('close');
          return store.held.includes(held)
            ? Promise.resolve()
            : Promise.reject(new SnapshotStoreError('NOT_FOUND', 'it went'));
        },
      });
    };
  });
  const read = async <T>(
    work: (tree: string, signal: AbortSignal) => Promise<T>,
    of = { area: AREA, checkpoint: held },
  ): Promise<T> => await desk.read(of, work);

  it('closes its tree, however it ends', async () => {
    expect(await read((tree) => Promise.resolve(tree))).toBe('/tree');
    await expect(read(() => Promise.reject(new Error('EIO')))).rejects.toThrow('EIO');
    expect(events).toEqual(['open', 'close', 'open', 'close']);
  });

  it('is refused of what is not here', async () => {
    const gone = { code: 'NOT_FOUND' };
    const work = (): Promise<void> => Promise.reject(new Error('nothing to read'));
    await expect(read(work, { area: 'b', checkpoint: held })).rejects.toMatchObject(gone);
    for (const wrong of [checkpoint('main', 'b'), checkpoint('lane', 'a'), { ...held, id: 'x' }])
      await expect(read(work, { area: AREA, checkpoint: wrong })).rejects.toMatchObject(gone);
    expect(events).toEqual([]);
  });

  it('counts for nothing where the checkpoint went meanwhile', async () => {
    const went = read(() => {
      store.held.length = 0;
      return Promise.resolve('half of it');
    });
    await expect(went).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is one at a time, and holds up no job', async () => {
    let end: () => void = () => undefined;
    const first = read(() => new Promise<void>((resolve) => (end = resolve)));
    const second = read(() => Promise.resolve());
    const job = await desk.enter(AREA, 'main');
    await job.store.take('main', 'b', {});
    while (events.length === 0) await new Promise((later) => setImmediate(later));
    expect(events).toEqual(['open']);
    end();
    await Promise.all([first, second]);
    expect(events).toEqual(['open', 'close', 'open', 'close']);
  });

  it('is told to end when its area is to go, which goes then', async () => {
    let begun: () => void = () => undefined;
    const beginning = new Promise<void>((resolve) => (begun = resolve));
    const reading = read(async (_, signal) => {
      begun();
      await once(signal, 'abort');
      throw new Error('in the middle of a file');
    });
    await beginning;
    const gone: string[] = [];
    const refused = expect(reading).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: 'the area is to go',
    });
    await desk.drop(AREA, (area) => gone.push(area));
    await refused;
    expect([gone, areas.destroyed, events]).toEqual([[AREA], [AREA], ['open', 'close']]);
  });
});
