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
 * What workspaces of an area have left to the clones that other areas have of them: ZFS destroys no snapshot that has one. What would have been destroyed is renamed
 * then, with its snapshots, and is nobody's workspace any more; it goes when nothing needs it.
 *
 * A workspace that is set back behind such a snapshot becomes a clone of the one it goes back to, which is promoted: the snapshots up to there are its own
 * as before, and what was set aside is a clone of it.
 *
 *     main@a@b@c, other/main of @c       set back to @a:      main@a, .aside@b@c of main@a, other/main of .aside@c
 *
 * It is sealed when all is done; until then it may be put back: that is how what was cut short is told from what nobody wants any more.
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

  /** The workspace, which is unmounted and has no forks in its area, is none any more. */
  async setAside({ dataset }: WorkspaceState): Promise<void> {
    await this.#seal(await this.#rename(dataset));
  }

  /** Makes the workspace, unmounted, what it was at one of its snapshots. Those that are newer, which have no forks in its area, are set aside. */
  async setBack({ dataset }: WorkspaceState, { label }: SnapshotState): Promise<void> {
    const aside = await this.#rename(dataset);
    try {
      // Or zfs-fuse mounts it at once, noauto or not.
      const options = ['-o', `${ROLE}=workspace`, '-o', 'canmount=off'];
      await this.#run('clone', ...options, snapshotName(aside, label), dataset);
      await this.#run('promote', dataset);
      await this.#run('set', 'canmount=on', dataset);
    } catch (error) {
      // What cannot be put back now is repaired later.
      await this.#putBack(aside, dataset).catch(() => undefined);
      throw error;
    }
    await this.#seal(aside);
  }

  /** Ends or undoes what was cut short, with one workspace or all: nobody may be at them. Resolves to whether there was anything. */
  async repair(workspace?: string): Promise<boolean> {
    if (this.place.areasRoot === null) return false;
    const all = await readProperties(this.zfs, this.place.root, 1, [ROLE, ASIDE_OF, 'origin']);
    const halves = [...all]
      .map(([name, properties]) => ({ name: name as DatasetName, of: asideOf(name, properties) }))
      .filter(({ of }) => of?.isSealed === false && (workspace ?? of.workspace) === of.workspace);
    for (const { name, of } of halves) {
      const dataset = childDataset(this.place.root, of?.workspace ?? '');
      const there = all.get(dataset);
      if (there?.get('origin')?.startsWith(`${name}@`) === true) await this.#run('promote', dataset);
      if (there === undefined) {
        await this.#run('rename', name, dataset);
        continue;
      }
      await this.#run('set', 'canmount=on', dataset);
      await this.#seal(name);
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

  async #rename(dataset: DatasetName): Promise<DatasetName> {
    const workspace = dataset.slice(this.place.root.length + 1);
    const aside = childDataset(this.place.root, `${PREFIX}${randomBytes(6).toString('hex')}`);
    await this.#run('set', `${ASIDE_OF}=${workspace}`, dataset);
    await this.#run('rename', dataset, aside);
    return aside;
  }

  async #seal(aside: DatasetName): Promise<void> {
    // Where all file systems are mounted at boot it is not among them.
    await this.#run('set', 'canmount=off', aside);
    await this.#run('set', `${ROLE}=aside`, aside);
    // What was written behind its newest snapshot takes room for nothing.
    const newest = (await readWorkspaceState(this.zfs, aside))?.snapshots.at(-1);
    if (newest !== undefined) await this.#run('rollback', snapshotName(aside, newest.label));
  }

  async #putBack(aside: DatasetName, dataset: DatasetName): Promise<void> {
    // A clone that is promoted stays: ZFS refuses to destroy it.
    const clone = await readWorkspaceState(this.zfs, dataset);
    if (clone?.isOurs === true) await this.#run('destroy', dataset);
    await this.#run('rename', aside, dataset);
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
