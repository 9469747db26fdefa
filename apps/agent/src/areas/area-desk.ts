import {
  SnapshotStore,
  SnapshotStoreError,
  type CheckpointId,
  type PartialReceive,
  type Space,
  type Workspace,
} from '#libs/engine';
import type { Checkpoint, CheckpointFacts } from '#libs/plan';
import type { Areas, CheckpointOfArea, OpenTree, WorkspaceOfArea } from '#libs/snapshots';
import type { Readable } from 'node:stream';
import type { Logger } from 'pino';
import { KeyedMutex } from '../keyed-mutex.js';

/** An area while a job uses it. */
export interface EnteredArea {
  readonly path: string;
  /** Its operations and those of other jobs in the area come one after the other. */
  readonly store: SnapshotStore;
  /**
   * Takes in checkpoints that no job here waits for. Whatever a job does to a workspace breaks that off, and nothing is taken into a workspace that a job works in,
   * nor, while any works in the area, where something would be dropped for it: throws BUSY then.
   */
  readonly beside: Pick<SnapshotStore, 'receive' | 'partial'>;
  /**
   * Makes a workspace equal to a checkpoint that another area holds. It does not wait for the jobs there, but for what drops checkpoints there and has begun. Throws NOT_FOUND,
   * also when that area is to go.
   */
  readonly fork: (from: CheckpointOfArea, workspace: string) => Promise<Workspace>;
  /** Several operations with nobody in between, after which the workspace may be another. */
  readonly exclusively: <T>(workspace: string, work: (store: SnapshotStore) => Promise<T>) => Promise<T>;
  readonly leave: () => Promise<void>;
}

/**
 * Who uses which area: two jobs of one may run at the same time, and a store's operations in one area must not race each other. When the last job has left an area,
 * nothing of it stays mounted, and it goes if it is to.
 *
 * What may drop checkpoints of an area has a second lock of it, which a fork takes of both its areas. It is taken last, of several areas in the order of their names, and
 * nobody who has one takes anything of the first kind: so nobody waits in a circle.
 */
export class AreaDesk {
  readonly #mutex = new KeyedMutex();
  readonly #dropping = new KeyedMutex();
  readonly #reading = new KeyedMutex();
  readonly #users = new Map<string, number>();
  /** The workspaces in which jobs work, by area; one may be in it twice. */
  readonly #working = new Map<string, string[]>();
  /** What is on its way beside the jobs, by area. */
  readonly #moving = new Map<string, Moving>();
  readonly #toDrop = new Map<string, (area: string) => void>();
  /** Areas to drop that others need. */
  readonly #needed = new Set<string>();

  constructor(
    private readonly areas: Areas,
    private readonly log: Logger,
    /** Told of an area that jobs have left. */
    private readonly onRest: (area: string) => void = () => undefined,
  ) {}

  /** @param workspace the one that a job is going to work in */
  async enter(name: string, workspace: string | null = null): Promise<EnteredArea> {
    this.#users.set(name, this.#count(name) + 1);
    const working = this.#workingIn(name);
    if (workspace !== null) {
      working.push(workspace);
      this.#toDrop.delete(name);
    }
    const forget = (): void => {
      if (workspace !== null) working.splice(working.indexOf(workspace), 1);
    };
    try {
      const moving = this.#movingOf(name);
      const { path, store } = await this.#mutex.run(name, async () => {
        if (workspace !== null) await moving.stopReceiving(workspace);
        return await this.areas.open(name);
      });
      const serialise: Serialise = (work) => this.#mutex.run(name, work);
      const dropping: Serialise = (work) => this.#dropping.run(name, work);
      return {
        path,
        store: new SerialStore(store, serialise, dropping, moving),
        beside: new StoreBeside(store, serialise, dropping, moving, working),
        fork: async (from, workspace) => await this.#fork(from, { area: name, workspace }, serialise),
        exclusively: async (workspace, work) =>
          await serialise(async () => {
            await moving.stopFor(workspace);
            return await dropping(() => work(store));
          }),
        leave: async () => {
          forget();
          await this.#leave(name);
        },
      };
    } catch (error) {
      forget();
      this.#users.set(name, this.#count(name) - 1);
      throw error;
    }
  }

  /** Whether a job works in any area. */
  get isBusy(): boolean {
    return [...this.#working.values()].some((working) => working.length > 0);
  }

  /** The same, of an area that is there: nothing is made. Throws NOT_FOUND. */
  async visit(name: string): Promise<EnteredArea> {
    if ((await this.areas.list()).includes(name)) return await this.enter(name);
    throw new SnapshotStoreError('NOT_FOUND', `the area ${name} is not here`);
  }

  /**
   * Reads a checkpoint's tree. Others may drop it meanwhile: they do not wait, but for the work to notice its signal. One tree is read at a time. Throws NOT_FOUND when the checkpoint is not here, or was
   * not here to the end.
   */
  async read<T>(
    { area, checkpoint }: { readonly area: string; readonly checkpoint: CheckpointId },
    work: (tree: string, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const entered = await this.visit(area);
    try {
      const here = await entered.store.list(checkpoint.workspace);
      const found = here.find(({ id, label }) => id === checkpoint.id && label === checkpoint.label);
      if (found === undefined)
        throw new SnapshotStoreError(
          'NOT_FOUND',
          `the checkpoint ${checkpoint.label} of ${checkpoint.workspace} is not here`,
        );
      return await this.#reading.run('', async () => {
        const opening = (): Promise<OpenTree> => this.areas.openTree({ area, checkpoint: found });
        const tree = await this.#dropping.run(area, opening);
        return await closing(tree, () => this.#movingOf(area).read((signal) => work(tree.path, signal)));
      });
    } finally {
      await entered.leave();
    }
  }

  /**
   * Removes the area, now or when nobody uses it any more and no other area needs it. `onGone` is told when it is gone; it may be told to remove it again. An order that meets a job does nothing:
   * it may be from before the job came, and is repeated if it is not.
   */
  async drop(name: string, onGone: (area: string) => void): Promise<void> {
    if (this.#workingIn(name).length > 0) return;
    this.#toDrop.set(name, onGone);
    await this.#movingOf(name).stopReceiving();
    await this.#movingOf(name).stopReading();
    await this.#settle(name);
  }

  async #fork(from: CheckpointOfArea, to: WorkspaceOfArea, serialise: Serialise): Promise<Workspace> {
    if (this.#toDrop.has(from.area))
      throw new SnapshotStoreError('NOT_FOUND', `the area ${from.area} is to go`);
    this.#users.set(from.area, this.#count(from.area) + 1);
    try {
      return await serialise(async () => {
        await this.#movingOf(to.area).stopFor(to.workspace);
        await this.#movingOf(from.area).stopReceiving(from.checkpoint.workspace);
        return await this.#droppingOfBoth(from.area, to.area, () => this.areas.fork(from, to));
      });
    } finally {
      await this.#release(from.area);
    }
  }

  async #droppingOfBoth<T>(one: string, other: string, work: () => Promise<T>): Promise<T> {
    const [first = one, second] = [...new Set([one, other])].toSorted();
    const inner = second === undefined ? work : async () => this.#dropping.run(second, work);
    return await this.#dropping.run(first, inner);
  }

  async #leave(name: string): Promise<void> {
    this.#users.set(name, this.#count(name) - 1);
    await this.#settle(name);
  }

  /** The same, without waiting for anybody who is in the area. */
  async #release(name: string): Promise<void> {
    this.#users.set(name, this.#count(name) - 1);
    if (this.#count(name) === 0) await this.#settle(name);
  }

  /** What is to be done with an area that nobody uses; then with those that were needed until now. */
  async #settle(name: string): Promise<void> {
    for (let again = await this.#tryToSettle(name); again;) {
      again = false;
      for (const each of [...this.#needed]) {
        // It may have been the last that needed another one.
        again = (await this.#tryToSettle(each)) || again;
      }
    }
  }

  /** Resolves to whether something may not be needed any more. */
  async #tryToSettle(name: string): Promise<boolean> {
    return await this.#mutex.run(name, async () => {
      const isNeeded = this.#needed.delete(name);
      if (this.#count(name) > 0) return false;
      this.#users.delete(name);
      this.#moving.delete(name);
      this.#working.delete(name);
      const onGone = this.#toDrop.get(name);
      try {
        if (onGone === undefined) {
          await this.#dropping.run(name, () => this.areas.rest(name));
          this.onRest(name);
          return true;
        }
        await this.#dropping.run(name, () => this.areas.destroy(name));
        this.#toDrop.delete(name);
        this.log.info({ area: name }, 'area removed');
        onGone(name);
        return true;
      } catch (error) {
        if (onGone !== undefined && error instanceof SnapshotStoreError && error.code === 'PINNED') {
          this.#needed.add(name);
          if (!isNeeded) this.log.info({ area: name, reason: error.message }, 'area is kept for now');
          return false;
        }
        this.log.error(
          { err: error, area: name },
          onGone === undefined ? 'area stays mounted' : 'area not removed',
        );
        return false;
      }
    });
  }

  #movingOf(name: string): Moving {
    const moving = this.#moving.get(name) ?? new Moving();
    this.#moving.set(name, moving);
    return moving;
  }

  #workingIn(name: string): string[] {
    const working = this.#working.get(name) ?? [];
    this.#working.set(name, working);
    return working;
  }

  #count(name: string): number {
    return this.#users.get(name) ?? 0;
  }
}

/** Whatever came of the work counts more than that it was closed well; but what was read of a checkpoint that is gone counts for nothing. */
async function closing<T>(tree: OpenTree, work: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await tree.close();
    throw error;
  }
  await tree.close();
  return result;
}

type Serialise = <T>(work: () => Promise<T>) => Promise<T>;

/** Streams of one area that nobody waits for. */
class Moving {
  readonly #sending = new Set<Sending>();
  readonly #receiving = new Set<ReceivingBeside>();
  readonly #reading = new Set<Reading>();

  /** Before the workspace is changed as a whole. */
  async stopFor(workspace: string): Promise<void> {
    await this.stopSending(workspace);
    await this.stopReceiving();
  }

  /** Of the workspace; their checkpoints may go when it resolves. */
  async stopSending(workspace: string): Promise<void> {
    for (const each of this.#sending) {
      if (each.workspace !== workspace) continue;
      each.mayGo.abort(new Error('the checkpoint may go'));
      await each.begun;
    }
  }

  /** Into the workspace, or any of the area. No process of it is left when it resolves. */
  async stopReceiving(workspace?: string): Promise<void> {
    for (const each of this.#receiving) {
      if (workspace !== undefined && each.workspace !== workspace) continue;
      each.stream.destroy(new Error('a job of the area comes first'));
      await each.ended;
    }
  }

  /** Of any checkpoint of the area. */
  async stopReading(): Promise<void> {
    for (const each of this.#reading) {
      each.mayGo.abort(new SnapshotStoreError('NOT_FOUND', 'the area is to go'));
      await each.ended;
    }
  }

  async read<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const mayGo = new AbortController();
    const result = work(mayGo.signal);
    const reading = { mayGo, ended: settled(result) };
    this.#reading.add(reading);
    try {
      return await result;
    } catch (error) {
      // What it says of its end is of no interest when it was told to end.
      mayGo.signal.throwIfAborted();
      throw error;
    } finally {
      this.#reading.delete(reading);
    }
  }

  async send<T extends Readable | null>(workspace: string, begin: () => Promise<T>): Promise<T> {
    const mayGo = new AbortController();
    const found = begin();
    const sending = { workspace, mayGo, begun: settled(found) };
    this.#sending.add(sending);
    try {
      const stream = await found;
      if (stream === null) {
        this.#sending.delete(sending);
        return stream;
      }
      stream.once('close', () => this.#sending.delete(sending));
      stream.on('error', () => undefined);
      mayGo.signal.addEventListener('abort', () => stream.destroy(mayGo.signal.reason as Error));
      if (mayGo.signal.aborted) stream.destroy();
      mayGo.signal.throwIfAborted();
      return stream;
    } catch (error) {
      this.#sending.delete(sending);
      throw error;
    }
  }

  receive(workspace: string, stream: Readable, receive: () => Promise<void>): Promise<void> {
    const received = receive();
    const receiving = { workspace, stream, ended: settled(received) };
    this.#receiving.add(receiving);
    return received.finally(() => this.#receiving.delete(receiving));
  }
}

interface Sending {
  readonly workspace: string;
  readonly mayGo: AbortController;
  /** The stream is there, or will not be. */
  readonly begun: Promise<void>;
}

interface Reading {
  readonly mayGo: AbortController;
  readonly ended: Promise<void>;
}

interface ReceivingBeside {
  readonly workspace: string;
  readonly stream: Readable;
  readonly ended: Promise<void>;
}

async function settled(work: Promise<unknown>): Promise<void> {
  await work.then(
    () => undefined,
    () => undefined,
  );
}

/**
 * A store whose operations wait for each other. A checkpoint is sent beside them, for as long as it stays: what would drop it does not wait for an hour's
 * transfer, but cuts it off. So does what changes a workspace as a whole with what comes in beside.
 */
class SerialStore extends SnapshotStore {
  override readonly description: string;

  constructor(
    private readonly store: SnapshotStore,
    private readonly serialise: Serialise,
    private readonly dropping: Serialise,
    private readonly moving: Moving,
  ) {
    super();
    this.description = store.description;
  }

  override async startEmpty(workspace: string): Promise<Workspace> {
    return await this.#alone(workspace, () => this.store.startEmpty(workspace));
  }

  override async startFrom(checkpoint: Checkpoint, workspace: string): Promise<Workspace> {
    return await this.#alone(workspace, () => this.store.startFrom(checkpoint, workspace));
  }

  override async take(workspace: string, label: string, facts: CheckpointFacts): Promise<Checkpoint> {
    return await this.serialise(() => this.store.take(workspace, label, facts));
  }

  override async list(workspace: string): Promise<readonly Checkpoint[]> {
    return await this.serialise(() => this.store.list(workspace));
  }

  override async isAsTaken(checkpoint: Checkpoint): Promise<boolean> {
    return await this.serialise(() => this.store.isAsTaken(checkpoint));
  }

  override async destroy(workspace: string): Promise<void> {
    await this.#alone(workspace, () => this.store.destroy(workspace));
  }

  /** Not serialised: looking for what has changed takes as long as a step may. */
  override async send(checkpoint: Checkpoint, base: Checkpoint | null): Promise<Readable> {
    return await this.moving.send(checkpoint.workspace, () => this.store.send(checkpoint, base));
  }

  override async estimateSend(checkpoint: Checkpoint, base: Checkpoint | null): Promise<number | null> {
    return await this.serialise(() => this.store.estimateSend(checkpoint, base));
  }

  override async sendRest(
    checkpoint: Checkpoint,
    base: Checkpoint | null,
    position: string,
  ): Promise<Readable | null> {
    const begin = (): Promise<Readable | null> => this.store.sendRest(checkpoint, base, position);
    return await this.moving.send(checkpoint.workspace, begin);
  }

  override async partial(checkpoint: CheckpointId, base: Checkpoint | null): Promise<PartialReceive | null> {
    return await this.serialise(() => this.store.partial(checkpoint, base));
  }

  override async receive(
    checkpoint: Checkpoint,
    base: Checkpoint | null,
    stream: Readable,
    position?: string,
  ): Promise<void> {
    const { workspace } = checkpoint;
    // Told where it is read; it may break off before that.
    stream.on('error', () => undefined);
    await this.serialise(async () => {
      await this.moving.stopFor(workspace);
      const receive = (): Promise<void> => this.store.receive(checkpoint, base, stream, position);
      await ((await dropsFor(this.store, workspace, base)) ? this.dropping(receive) : receive());
    });
  }

  /** With no checkpoint of the workspace on its way to others, none on its way here, and nobody forking any of the area. */
  async #alone<T>(workspace: string, work: () => Promise<T>): Promise<T> {
    return await this.serialise(async () => {
      await this.moving.stopFor(workspace);
      return await this.dropping(work);
    });
  }

  /** Reads only, and a step's watch asks it every second. */
  override async space(): Promise<Space> {
    return await this.store.space();
  }
}

/** See EnteredArea.beside. It holds nobody up: only whether it may begin is decided in line with the area's other operations. */
class StoreBeside {
  constructor(
    private readonly store: SnapshotStore,
    private readonly serialise: Serialise,
    private readonly dropping: Serialise,
    private readonly moving: Moving,
    private readonly working: readonly string[],
  ) {}

  async partial(checkpoint: CheckpointId, base: Checkpoint | null): Promise<PartialReceive | null> {
    return await this.serialise(() => this.store.partial(checkpoint, base));
  }

  async receive(
    checkpoint: Checkpoint,
    base: Checkpoint | null,
    stream: Readable,
    position?: string,
  ): Promise<void> {
    const { workspace } = checkpoint;
    // Told where it is read; it may break off before that.
    stream.on('error', () => undefined);
    const receive = (): Promise<void> => this.store.receive(checkpoint, base, stream, position);
    const begun = await this.serialise(async () => {
      const drops = await dropsFor(this.store, workspace, base);
      if (drops) {
        if (this.working.length > 0) throw busy(workspace);
        await this.moving.stopSending(workspace);
      } else if (this.working.includes(workspace)) throw busy(workspace);
      return {
        received: this.moving.receive(workspace, stream, drops ? () => this.dropping(receive) : receive),
      };
    });
    await begun.received;
  }
}

/** Whether a checkpoint goes when one comes that goes on from `base`. */
async function dropsFor(store: SnapshotStore, workspace: string, base: Checkpoint | null): Promise<boolean> {
  const newest = (await store.list(workspace)).at(-1);
  return newest !== undefined && newest.id !== base?.id;
}

function busy(workspace: string): SnapshotStoreError {
  return new SnapshotStoreError('BUSY', `a job works in the area, and ${workspace} is to stay as it is`);
}
