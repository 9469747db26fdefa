import { randomBytes } from 'node:crypto';
import { isCode } from '../store-errors.js';
import { childDataset, snapshotName, type DatasetName } from './dataset-name.js';
import { readProperties } from './dataset-properties.js';
import type { AreaPlace, Falling } from './forks.js';
import { readRelatives } from './relatives.js';
import type { SpaceReserve } from './space-reserve.js';
import {
  ASIDE_OF,
  asideOf,
  readWorkspaceState,
  ROLE,
  type SnapshotState,
  type WorkspaceState,
} from './workspace-state.js';
import type { ZfsCommand } from './zfs-command.js';

/** Ours is what its properties say is ours; that no workspace can have the name keeps it out of the way. */
const PREFIX = '.aside.';

/**
 * What workspaces of an area have left to the clones that other areas have of them: ZFS destroys no snapshot that has one. The snapshots go to a new clone then, by promoting it, and the
 * workspace is destroyed: nothing is renamed, which zfs-fuse refuses for long while a clone of it is mounted. What is left goes when nothing needs it.
 *
 * A workspace that is set back behind such a snapshot is made anew as a clone of the one it goes back to, and promoted in its turn: the snapshots up to there are its own
 * as before.
 *
 *     main@a@b@c, other/main of @c       set back to @a:      main@a, .aside@b@c of main@a, other/main of .aside@c
 *
 * It is sealed when all is done. Until then the workspace can be put back, which is how the end of the process in between is mended.
 */
export class Asides {
  constructor(
    private readonly zfs: ZfsCommand,
    private readonly place: AreaPlace,
    private readonly reserve: SpaceReserve,
  ) {}

  /** Whether the snapshot is in the area and of what was set aside: a workspace that came from there was cut short. */
  has(snapshot: string | null): boolean {
    return snapshot?.startsWith(`${this.place.root}/${PREFIX}`) === true;
  }

  /** The workspace, which is unmounted and has no forks in its area, is none any more. Some of its snapshots are needed. */
  async setAside(state: WorkspaceState, pinned: Falling['pinned']): Promise<void> {
    await this.#orPutBack(state, async () => {
      await this.#seal(await this.#moveOut(state, pinned));
    });
  }

  /** Makes the workspace, unmounted, what it was at one of its snapshots. The newer ones, of which some are needed, have no forks in the area. */
  async setBack(state: WorkspaceState, { label }: SnapshotState, pinned: Falling['pinned']): Promise<void> {
    await this.#orPutBack(state, async () => {
      const aside = await this.#moveOut(state, pinned);
      await this.#remake(state.dataset, aside, label);
      await this.#seal(aside);
    });
  }

  /** Puts back what was cut short, or ends it, with one workspace or all: nobody may be at them. Resolves to whether there was anything. */
  async repair(workspace?: string): Promise<boolean> {
    if (this.place.areasRoot === null) return false;
    const all = await readProperties(this.zfs, this.place.root, 1, [ROLE, ASIDE_OF, 'origin']);
    const halves = [...all]
      .map(([name, properties]) => ({ aside: name as DatasetName, of: asideOf(properties) }))
      .filter(({ aside, of }) => of?.isSealed === false && isNamedAside(aside))
      .filter(({ of }) => workspace === undefined || of?.workspace === workspace);
    for (const { aside, of } of halves) {
      const dataset = childDataset(this.place.root, of?.workspace ?? '');
      const newest = (await readWorkspaceState(this.zfs, aside))?.snapshots.at(-1);
      if (all.get(dataset)?.get('origin')?.startsWith(`${aside}@`) === true) await this.#promote(dataset);
      else if (!all.has(dataset) && newest !== undefined) await this.#remake(dataset, aside, newest.label);
      await this.#seal(aside);
    }
    return halves.length > 0;
  }

  /** `sweep`, where something may have become free of need. */
  async sweepAfter({ pinned, relatives }: Falling): Promise<void> {
    if (pinned.size > 0 || relatives.some(({ name }) => isNamedAside(name))) await this.sweep();
  }

  /**
   * Destroys what nothing needs any more, in all areas: what goes here may have needed what another one has. Others may do the same at the same time, and nobody can
   * come to need it meanwhile: forks are made of a workspace's snapshots.
   */
  async sweep(): Promise<void> {
    const { areasRoot } = this.place;
    for (let again = areasRoot !== null; again;) {
      again = false;
      const relatives = await readRelatives(this.zfs, this.place.root);
      const needed = new Set(relatives.map(({ origin }) => origin));
      for (const { name } of relatives.filter((each) => isNamedAside(each.name))) {
        if (!isIn(areasRoot ?? '', name)) continue;
        const state = await readWorkspaceState(this.zfs, name as DatasetName);
        if (state?.aside?.isSealed === true) again = (await this.#free(state, needed)) || again;
      }
    }
  }

  /** Resolves to whether all of it is gone, which may have needed others. */
  async #free({ dataset, snapshots }: WorkspaceState, needed: ReadonlySet<string>): Promise<boolean> {
    const left: SnapshotState[] = [];
    for (const snapshot of snapshots.toReversed()) {
      const name = snapshotName(dataset, snapshot.label);
      const mayGo = snapshot.isOurs && snapshot.holds === 0 && !needed.has(name);
      if (!mayGo || !(await this.#tryTo('destroy', name))) left.push(snapshot);
    }
    const [newest] = left;
    if (newest === undefined) return await this.#tryTo('destroy', dataset);
    if (newest !== snapshots.at(-1)) await this.#tryTo('rollback', snapshotName(dataset, newest.label));
    return false;
  }

  async #tryTo(...args: readonly string[]): Promise<boolean> {
    try {
      await this.#run(...args);
      return true;
    } catch (error) {
      if (SWEPT_LATER.some((code) => isCode(error, code))) return false;
      throw error;
    }
  }

  async #orPutBack({ dataset }: WorkspaceState, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // What cannot be put back now is, later.
      await this.repair(dataset.slice(this.place.root.length + 1)).catch(() => undefined);
      throw error;
    }
  }

  /** Destroys the workspace but for its snapshots up to the newest that is needed. Resolves to what has those. */
  async #moveOut({ dataset, snapshots }: WorkspaceState, pinned: Falling['pinned']): Promise<DatasetName> {
    const last = snapshots.findLastIndex(({ label }) => pinned.has(`${dataset}@${label}`));
    const newest = snapshotName(dataset, snapshots[last]?.label ?? '');
    const aside = childDataset(this.place.root, `${PREFIX}${randomBytes(6).toString('hex')}`);
    const workspace = dataset.slice(this.place.root.length + 1);
    await this.#run('clone', '-o', `${ASIDE_OF}=${workspace}`, '-o', 'canmount=off', newest, aside);
    await this.#run('promote', aside);
    for (const { label } of snapshots.slice(last + 1).toReversed())
      await this.#run('destroy', snapshotName(dataset, label));
    await this.#run('destroy', dataset);
    return aside;
  }

  /** Gives the snapshots up to one of them back to the workspace, which is made anew. */
  async #remake(dataset: DatasetName, aside: DatasetName, label: string): Promise<void> {
    // With noauto zfs-fuse mounts it all the same.
    const options = ['-o', `${ROLE}=workspace`, '-o', 'canmount=off'];
    await this.#run('clone', ...options, snapshotName(aside, label), dataset);
    await this.#promote(dataset);
  }

  async #promote(dataset: DatasetName): Promise<void> {
    // First, since there is nothing to be mended afterwards.
    await this.#run('set', 'canmount=on', dataset);
    await this.#run('promote', dataset);
  }

  async #seal(aside: DatasetName): Promise<void> {
    await this.#run('set', `${ROLE}=aside`, aside);
  }

  async #run(...args: readonly string[]): Promise<void> {
    await this.reserve.lend(() => this.zfs.zfsRetrying(NOT_YET, ...args));
  }
}

/** zfs-fuse lets go of an unmounted dataset a little later. */
const NOT_YET = ['BUSY', 'BACKEND_DOWN'] as const;

/** Somebody else was quicker, or something is in the way that need not stay. */
const SWEPT_LATER = ['NOT_FOUND', 'FOREIGN_SNAPSHOTS', 'BUSY'] as const;

function isNamedAside(dataset: string): boolean {
  return dataset.slice(dataset.lastIndexOf('/') + 1).startsWith(PREFIX);
}

/** In an area of those that are in a dataset. */
function isIn(areasRoot: string, dataset: string): boolean {
  return dataset.startsWith(`${areasRoot}/`) && dataset.slice(areasRoot.length + 1).split('/').length === 2;
}
