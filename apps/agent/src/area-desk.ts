import { SnapshotStore, SnapshotStoreError, type Space, type Workspace } from '#libs/engine';
import type { Checkpoint, CheckpointFacts } from '#libs/plan';
import type { Areas } from '#libs/snapshots';
import type { Readable } from 'node:stream';
import type { Logger } from 'pino';
import { KeyedMutex } from './keyed-mutex.js';

/** An area while a job uses it. */
export interface EnteredArea {
  readonly path: string;
  /** Its operations and those of other jobs in the area come one after the other. */
  readonly store: SnapshotStore;
  /** Several operations with nobody in between. */
  readonly exclusively: <T>(work: (store: SnapshotStore) => Promise<T>) => Promise<T>;
  readonly leave: () => Promise<void>;
}

/**
 * Who uses which area: two jobs of one may run at the same time, and a store's operations in one area must not race each other. When the last job has left an area,
 * nothing of it stays mounted, and it goes if it is to.
 */
export class AreaDesk {
  readonly #mutex = new KeyedMutex();
  readonly #users = new Map<string, number>();
  /** Checkpoints that are being sent, by area. */
  readonly #sending = new Map<string, Set<Sending>>();
  readonly #toDrop = new Map<string, (area: string) => void>();

  constructor(
    private readonly areas: Areas,
    private readonly log: Logger,
  ) {}

  async enter(name: string): Promise<EnteredArea> {
    this.#users.set(name, this.#count(name) + 1);
    try {
      const { path, store } = await this.#mutex.run(name, () => this.areas.open(name));
      const serial = new SerialStore(store, (work) => this.#mutex.run(name, work), this.#sendingOf(name));
      return {
        path,
        store: serial,
        exclusively: async (work) => await this.#mutex.run(name, () => work(store)),
        leave: async () => this.#leave(name),
      };
    } catch (error) {
      this.#users.set(name, this.#count(name) - 1);
      throw error;
    }
  }

  /** The same, of an area that is there: nothing is made. Throws NOT_FOUND. */
  async visit(name: string): Promise<EnteredArea> {
    if ((await this.areas.list()).includes(name)) return await this.enter(name);
    throw new SnapshotStoreError('NOT_FOUND', `the area ${name} is not here`);
  }

  /** Removes the area, now or when the last job has left it. `onGone` is told when it is gone; it may be told to remove it again. */
  async drop(name: string, onGone: (area: string) => void): Promise<void> {
    this.#toDrop.set(name, onGone);
    await this.#settle(name);
  }

  async #leave(name: string): Promise<void> {
    this.#users.set(name, this.#count(name) - 1);
    await this.#settle(name);
  }

  /** What is to be done with an area that nobody uses. */
  async #settle(name: string): Promise<void> {
    await this.#mutex.run(name, async () => {
      if (this.#count(name) > 0) return;
      this.#users.delete(name);
      this.#sending.delete(name);
      const onGone = this.#toDrop.get(name);
      try {
        if (onGone === undefined) {
          await this.areas.rest(name);
          return;
        }
        await this.areas.destroy(name);
        this.#toDrop.delete(name);
        this.log.info({ area: name }, 'area removed');
        onGone(name);
      } catch (error) {
        this.log.error(
          { err: error, area: name },
          onGone === undefined ? 'area stays mounted' : 'area not removed',
        );
      }
    });
  }

  #sendingOf(name: string): Set<Sending> {
    const sending = this.#sending.get(name) ?? new Set<Sending>();
    this.#sending.set(name, sending);
    return sending;
  }

  #count(name: string): number {
    return this.#users.get(name) ?? 0;
  }
}

type Serialise = <T>(work: () => Promise<T>) => Promise<T>;

interface Sending {
  readonly workspace: string;
  readonly stream: Readable;
}

/**
 * A store whose operations wait for each other. A checkpoint is sent beside them, for as long as it stays: what would drop it does not wait for an hour's
 * transfer, but cuts it off.
 */
class SerialStore extends SnapshotStore {
  override readonly description: string;

  constructor(
    private readonly store: SnapshotStore,
    private readonly serialise: Serialise,
    private readonly sending: Set<Sending>,
  ) {
    super();
    this.description = store.description;
  }

  override async startEmpty(workspace: string): Promise<Workspace> {
    return await this.serialise(() => this.#alone(workspace, () => this.store.startEmpty(workspace)));
  }

  override async startFrom(checkpoint: Checkpoint, workspace: string): Promise<Workspace> {
    return await this.serialise(() =>
      this.#alone(workspace, () => this.store.startFrom(checkpoint, workspace)),
    );
  }

  override async take(workspace: string, label: string, facts: CheckpointFacts): Promise<Checkpoint> {
    return await this.serialise(() => this.store.take(workspace, label, facts));
  }

  override async list(workspace: string): Promise<readonly Checkpoint[]> {
    return await this.serialise(() => this.store.list(workspace));
  }

  override async destroy(workspace: string): Promise<void> {
    await this.serialise(() => this.#alone(workspace, () => this.store.destroy(workspace)));
  }

  override async send(checkpoint: Checkpoint, base: Checkpoint | null): Promise<Readable> {
    return await this.serialise(async () => {
      const stream = await this.store.send(checkpoint, base);
      const sending = { workspace: checkpoint.workspace, stream };
      this.sending.add(sending);
      stream.once('close', () => this.sending.delete(sending));
      return stream;
    });
  }

  override async estimateSend(checkpoint: Checkpoint, base: Checkpoint | null): Promise<number | null> {
    return await this.serialise(() => this.store.estimateSend(checkpoint, base));
  }

  override async receive(checkpoint: Checkpoint, base: Checkpoint | null, stream: Readable): Promise<void> {
    await this.serialise(() =>
      this.#alone(checkpoint.workspace, () => this.store.receive(checkpoint, base, stream)),
    );
  }

  /** With no checkpoint of the workspace on its way. */
  async #alone<T>(workspace: string, work: () => Promise<T>): Promise<T> {
    for (const each of this.sending) {
      if (each.workspace === workspace) each.stream.destroy(new Error('the checkpoint may go'));
    }
    return await work();
  }

  /** Reads only, and a step's watch asks it every second. */
  override async space(): Promise<Space> {
    return await this.store.space();
  }
}
