import {
  SnapshotStore,
  SnapshotStoreError,
  type CheckpointId,
  type PartialReceive,
  type Space,
  type Workspace,
} from '#libs/engine';
import type { Checkpoint, CheckpointFacts } from '#libs/plan';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { badStream, inStoreWords, isCode } from '../store-errors.js';
import { refuseBadFacts } from '../store-facts.js';
import { EMPTY, refuseBadLabel, refuseBadWorkspace } from '../store-names.js';
import { Asides } from './asides.js';
import { mountDataset, unmountDatasets, workspacePath } from './dataset-mounts.js';
import { childDataset, snapshotName, type DatasetName, type SnapshotName } from './dataset-name.js';
import { readProperties } from './dataset-properties.js';
import { factsToProperties } from './fact-properties.js';
import { fallingWith, isPinned, originsOf, type AreaPlace, type Falling } from './forks.js';
import { isOld, partialOf } from './partial-receive.js';
import { asBadStream, readBegin } from './received-stream.js';
import { formatPosition, formatResumeToken, parsePosition } from './resume-token.js';
import { parseSendSize } from './send-size.js';
import { SpaceReserve } from './space-reserve.js';
import {
  emptySnapshot,
  MARK,
  readWorkspaceState,
  RECEIVING_GUID,
  receivingMark,
  ROLE,
  type SnapshotState,
  type WorkspaceState,
} from './workspace-state.js';
import { ZfsCommand } from './zfs-command.js';

export interface ZfsSnapshotStoreOptions {
  /** The build area's dataset. Workspaces are its children; nothing outside it is ever changed. */
  readonly root: DatasetName;
  /** Folders of an empty workspace. */
  readonly layout: readonly string[];
  readonly zfs?: ZfsCommand;
  /**
   * The dataset that has this build area among others. What they have gone on from here outlives what is done here, and one reserve of room is kept back for all:
   * each its own would keep 64 MB back for every variant that was ever built here.
   */
  readonly areasRoot?: DatasetName;
}

interface Found {
  readonly checkpoint: Checkpoint;
  readonly state: WorkspaceState;
  readonly snapshot: SnapshotState;
}

/** Checkpoints as ZFS snapshots, workspaces as datasets, forks as clones. Works alike on OpenZFS and zfs-fuse. */
export class ZfsSnapshotStore extends SnapshotStore {
  override readonly description: string;
  readonly #root: DatasetName;
  readonly #layout: readonly string[];
  readonly #zfs: ZfsCommand;
  readonly #reserve: SpaceReserve;
  readonly #place: AreaPlace;
  readonly #asides: Asides;

  constructor({ root, layout, zfs = new ZfsCommand(), areasRoot }: ZfsSnapshotStoreOptions) {
    super();
    this.#root = root;
    this.#layout = layout;
    this.#zfs = zfs;
    this.#place = { root, areasRoot: areasRoot ?? null };
    this.#reserve = new SpaceReserve(zfs, areasRoot ?? root);
    this.#asides = new Asides(zfs, this.#place, this.#reserve);
    this.description = `ZFS snapshots in ${root}`;
  }

  override async startEmpty(workspace: string): Promise<Workspace> {
    const dataset = this.#dataset(workspace);
    await this.#reserve.hold(await this.space());
    const state = await this.#stateToChange(workspace);
    if (state === null) return await this.#create(dataset, workspace);
    const empty = state.origin === null ? emptySnapshot(state) : null;
    if (empty !== null) return await this.#rollBack(workspace, state, empty);
    // A former fork, or one whose creation was cut short: nothing in it can be gone back to.
    await this.#destroy(state);
    return await this.#create(dataset, workspace);
  }

  override async startFrom(checkpoint: Checkpoint, workspace: string): Promise<Workspace> {
    const dataset = this.#dataset(workspace);
    const { state, snapshot } = await this.#findFor(workspace, checkpoint);
    await this.#reserve.hold(await this.space());
    if (checkpoint.workspace === workspace) return await this.#rollBack(workspace, state, snapshot);
    await this.#refuseOrigin(state.dataset, dataset);
    return await this.#fork(workspace, { checkpoint, state, snapshot });
  }

  /** As `startFrom`, of a checkpoint that the store of an area beside this one holds. */
  async forkFrom(source: ZfsSnapshotStore, checkpoint: Checkpoint, workspace: string): Promise<Workspace> {
    const found = await source.#find(checkpoint);
    await this.#reserve.hold(await this.space());
    return await this.#fork(workspace, found);
  }

  override async take(workspace: string, label: string, facts: CheckpointFacts): Promise<Checkpoint> {
    const dataset = this.#dataset(workspace);
    refuseBadLabel(label);
    refuseBadFacts(facts);
    // What a live process has mapped is in the snapshot only then.
    await this.#zfs.sync(await workspacePath(this.#zfs, dataset));
    return { id: await this.#snapshot(dataset, label, facts), workspace, label, facts };
  }

  override async list(workspace: string): Promise<readonly Checkpoint[]> {
    const state = await readWorkspaceState(this.#zfs, this.#dataset(workspace));
    const ours = state?.snapshots.filter(({ isWhole, label }) => isWhole && label !== EMPTY) ?? [];
    return ours.map(({ guid, label, facts }) => ({ id: guid, workspace, label, facts }));
  }

  /** Nobody can change one: there is no writing to a snapshot. */
  override async isAsTaken({ workspace, id }: Checkpoint): Promise<boolean> {
    return (await this.list(workspace)).some((each) => each.id === id);
  }

  override async destroy(workspace: string): Promise<void> {
    const state = await this.#stateToChange(workspace);
    if (state !== null) await this.#destroy(state);
  }

  override async space(): Promise<Space> {
    const properties = (await readProperties(this.#zfs, this.#root, 0, ['available', 'used'])).get(
      this.#root,
    );
    return { freeBytes: Number(properties?.get('available')), usedBytes: Number(properties?.get('used')) };
  }

  override async send(checkpoint: Checkpoint, base: Checkpoint | null): Promise<Readable> {
    return await this.#zfs.send(...(await this.#sendArgs(checkpoint, base)));
  }

  /** zfs-send(8) -nP; zfs-fuse has neither option. */
  override async estimateSend(checkpoint: Checkpoint, base: Checkpoint | null): Promise<number | null> {
    const args = await this.#sendArgs(checkpoint, base);
    try {
      return parseSendSize(await this.#zfs.zfs('send', '-nP', ...args));
    } catch (error) {
      if (error instanceof SnapshotStoreError && error.code === 'FAILED') return null;
      throw error;
    }
  }

  async #sendArgs(checkpoint: Checkpoint, base: Checkpoint | null): Promise<readonly string[]> {
    const { state, snapshot } = await this.#find(checkpoint);
    const whole = snapshotName(state.dataset, snapshot.label);
    if (base === null) return [whole];
    const from =
      base.workspace === checkpoint.workspace ? foundIn(state, state.dataset, base) : await this.#find(base);
    return ['-i', snapshotName(from.state.dataset, base.label), whole];
  }

  /**
   * A token is made of what is here and the three numbers: so the receiver cannot name a snapshot. It need not be the one that the stream began from, which
   * may have come from another agent.
   */
  override async sendRest(
    checkpoint: Checkpoint,
    base: Checkpoint | null,
    position: string,
  ): Promise<Readable | null> {
    const at = parsePosition(position);
    const toName = (await this.#sendArgs(checkpoint, base)).at(-1) ?? '';
    if (at === null || !(await this.#zfs.canGoOn(this.#root))) return null;
    const token = formatResumeToken({
      ...at,
      ...{ toGuid: checkpoint.id, fromGuid: base?.id ?? null, toName },
    });
    try {
      await this.#zfs.zfs('send', '-n', '-v', '-t', token);
      return await this.#zfs.send('-t', token);
    } catch (error) {
      if (isCode(error, 'FAILED') || isCode(error, 'NOT_FOUND')) return null;
      throw error;
    }
  }

  override async partial(checkpoint: CheckpointId, base: Checkpoint | null): Promise<PartialReceive | null> {
    const state = await readWorkspaceState(this.#zfs, this.#dataset(checkpoint.workspace));
    const token = partialOf(state, checkpoint, base);
    if (state === null || token === null || (await isOld(this.#zfs, state))) return null;
    return { position: formatPosition(token), bytes: Number(token.bytes) };
  }

  /** Nobody may be receiving into the workspace. */
  async dropOldPartial(workspace: string): Promise<void> {
    const state = await readWorkspaceState(this.#zfs, this.#dataset(workspace));
    if (state === null || !state.isOurs || !(await isOld(this.#zfs, state))) return;
    if (state.isHalf) await this.#destroy(state);
    else await this.#dropPartial(state);
  }

  override async receive(
    checkpoint: Checkpoint,
    base: Checkpoint | null,
    stream: Readable,
    position?: string,
  ): Promise<void> {
    try {
      refuseBadLabel(checkpoint.label);
      refuseBadFacts(checkpoint.facts);
      await this.#reserve.hold(await this.space());
      const found = base === null ? null : await this.#findFor(checkpoint.workspace, base);
      const goesOn = position !== undefined;
      if (goesOn && (await this.partial(checkpoint, base))?.position !== position)
        throw badStream(`what had come of ${checkpoint.label} is not here any more`);
      const at = goesOn ? parsePosition(position) : null;
      const begun = await readBegin(stream, { checkpoint, base, position: at });
      if (found !== null && base?.workspace === checkpoint.workspace)
        await this.#receiveIncrement(checkpoint, found, begun, goesOn);
      else await this.#receiveWhole(checkpoint, found, begun, goesOn);
    } finally {
      stream.destroy();
    }
  }

  /** A new workspace. Until it is whole, it is ours by what the build area's dataset says. */
  async #receiveWhole(
    checkpoint: Checkpoint,
    base: Found | null,
    stream: AsyncIterable<Buffer>,
    goesOn: boolean,
  ): Promise<void> {
    const { workspace, label } = checkpoint;
    const dataset = this.#dataset(workspace);
    if (base !== null) await this.#refuseOrigin(base.state.dataset, dataset);
    const replaced = goesOn ? null : await this.#stateToChange(workspace);
    if (replaced !== null) await this.#destroy(replaced);
    await this.#set(this.#root, receivingMark(workspace), workspace);
    try {
      await this.#receiveStream(stream, snapshotName(dataset, label));
      await this.#refuseOther(dataset, checkpoint, base);
      await this.#set(dataset, ROLE, 'workspace');
      await this.#mark(dataset, checkpoint);
    } catch (error) {
      const half = await readWorkspaceState(this.#zfs, dataset);
      if (isCode(error, 'BAD_STREAM') && partialOf(half, checkpoint, base?.checkpoint ?? null) !== null)
        throw error;
      if (half !== null) await this.#destroy(half);
      await this.#unset(this.#root, receivingMark(workspace));
      throw error;
    }
    await this.#unset(this.#root, receivingMark(workspace));
  }

  /** One more snapshot of a workspace, which is brought back to the one before it. Until it is whole, it is ours by what the workspace says. */
  async #receiveIncrement(
    checkpoint: Checkpoint,
    { state, snapshot, checkpoint: base }: Found,
    stream: AsyncIterable<Buffer>,
    goesOn: boolean,
  ): Promise<void> {
    const { dataset } = state;
    await this.#rollBackUnmounted(goesOn ? { ...state, resumeToken: null } : state, snapshot);
    await this.#set(dataset, RECEIVING_GUID, checkpoint.id);
    try {
      await this.#receiveStream(stream, snapshotName(dataset, checkpoint.label));
      await this.#refuseOther(dataset, checkpoint, null);
      await this.#mark(dataset, checkpoint);
    } catch (error) {
      const now = await readWorkspaceState(this.#zfs, dataset);
      const isKept = isCode(error, 'BAD_STREAM') && partialOf(now, checkpoint, base) !== null;
      if (now !== null && !isKept) await this.#rollBackUnmounted(now, snapshot);
      throw error;
    } finally {
      await this.#unset(dataset, RECEIVING_GUID);
    }
  }

  async #receiveStream(stream: AsyncIterable<Buffer>, target: SnapshotName): Promise<void> {
    try {
      const keeping = (await this.#zfs.canGoOn(this.#root)) ? ['-s'] : [];
      await this.#zfs.receive(stream, ...keeping, '-u', target);
    } catch (error) {
      throw asBadStream(error);
    }
  }

  /** ZFS has made what the stream's beginning promised, with nothing beside it. */
  async #refuseOther(dataset: DatasetName, { id, label }: Checkpoint, base: Found | null): Promise<void> {
    const state = await readWorkspaceState(this.#zfs, dataset);
    const made = state?.snapshots.filter(({ isWhole }) => !isWhole) ?? [];
    if (made.length !== 1 || made[0]?.guid !== id || made[0].label !== label)
      throw badStream(`${dataset}@${label} is not the snapshot ${id} that was announced`);
    if (base === null) return;
    // It looks for the guid in the whole pool; what another agent's area has must not become ours to keep.
    const origin = snapshotName(base.state.dataset, base.snapshot.label);
    if (state?.origin !== origin)
      throw new SnapshotStoreError(
        'NOT_FOUND',
        `ZFS took ${state?.origin ?? 'nothing'} for the origin of ${dataset}, instead of ${origin}`,
        'It can be sent whole.',
      );
  }

  /** From the last of it on, the checkpoint is there. */
  async #mark(dataset: DatasetName, { label, facts }: Checkpoint): Promise<void> {
    const snapshot = snapshotName(dataset, label);
    for (const [name, value] of factsToProperties(facts)) await this.#set(snapshot, name, value);
    await this.#set(snapshot, MARK, label);
  }

  async #set(dataset: DatasetName | SnapshotName, property: string, value: string): Promise<void> {
    await this.#reserve.lend(() => this.#zfs.zfs('set', `${property}=${value}`, dataset));
  }

  async #unset(dataset: DatasetName, property: string): Promise<void> {
    await this.#reserve.lend(() => this.#zfs.zfs('inherit', property, dataset));
  }

  #dataset(workspace: string): DatasetName {
    refuseBadWorkspace(workspace);
    return childDataset(this.#root, workspace);
  }

  async #create(dataset: DatasetName, workspace: string): Promise<Workspace> {
    await this.#make(dataset, 'create', '-o', `${ROLE}=workspace`, dataset);
    const path = await this.#mount(dataset);
    await this.#reserve.lend(async () => inStoreWords(async () => this.#makeLayout(path)));
    await this.#snapshot(dataset, EMPTY, {});
    return { name: workspace, path };
  }

  async #makeLayout(path: string): Promise<void> {
    const folders = [path, ...this.#layout.map((folder) => join(path, folder))];
    for (const folder of folders) {
      await mkdir(folder, { recursive: true });
      // Not by mkdir, whose mode the umask takes from.
      await chmod(folder, 0o755);
    }
  }

  /** Resolves to the guid. */
  async #snapshot(dataset: DatasetName, label: string, facts: CheckpointFacts): Promise<string> {
    const snapshot = snapshotName(dataset, label);
    const properties = [[MARK, label] as const, ...factsToProperties(facts)];
    const options = properties.flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    await this.#reserve.lend(() => this.#zfs.zfs('snapshot', ...options, snapshot));
    const guid = (await readProperties(this.#zfs, snapshot, 0, ['guid'])).get(snapshot)?.get('guid');
    if (guid === undefined)
      throw new SnapshotStoreError('FAILED', `the snapshot ${snapshot} was taken, but has no guid`);
    return guid;
  }

  async #rollBack(workspace: string, state: WorkspaceState, target: SnapshotState): Promise<Workspace> {
    try {
      await this.#rollBackUnmounted(state, target);
    } catch (error) {
      // Whoever looks should see the workspace as it is; but this error is not the news.
      await this.#mount(state.dataset).catch(() => undefined);
      throw error;
    }
    return { name: workspace, path: await this.#mount(state.dataset) };
  }

  async #rollBackUnmounted(state: WorkspaceState, target: SnapshotState): Promise<void> {
    const { dataset, snapshots } = state;
    const newer = snapshots.filter((snapshot) => snapshot.createdInTransaction > target.createdInTransaction);
    const falling = await fallingWith(this.#zfs, this.#place, state, newer);
    const { forks, pinned } = falling;
    await unmountDatasets(this.#zfs, [...forks.map((fork) => fork.dataset), dataset]);
    for (const fork of forks) await this.#remove(fork, falling);
    await this.#dropPartial(state);
    if (isPinned(pinned, dataset, newer)) await this.#asides.setBack(state, target, pinned);
    else await this.#destroySnapshots(dataset, newer);
    await this.#asides.sweepAfter(falling);
    await this.#reserve.lend(() =>
      this.#zfs.zfsRetrying(['BUSY', 'BACKEND_DOWN'], 'rollback', snapshotName(dataset, target.label)),
    );
  }

  async #destroy(state: WorkspaceState): Promise<void> {
    const falling = await fallingWith(this.#zfs, this.#place, state, state.snapshots);
    const all = [...falling.forks, state];
    await unmountDatasets(
      this.#zfs,
      all.map(({ dataset }) => dataset),
    );
    for (const each of all) await this.#remove(each, falling);
    await this.#asides.sweepAfter(falling);
  }

  /** Destroys an unmounted dataset whose forks are gone, or sets it aside for those that stay. */
  async #remove(state: WorkspaceState, { pinned }: Falling): Promise<void> {
    const { dataset, snapshots, isHalf } = state;
    if (!isHalf) await this.#dropPartial(state);
    if (isPinned(pinned, dataset, snapshots)) {
      await this.#asides.setAside(state, pinned);
      return;
    }
    await this.#destroySnapshots(dataset, snapshots);
    await this.#zfs.zfsRetrying(['BUSY'], 'destroy', dataset);
    // Somebody else's of that name would seem to be ours.
    if (isHalf) await this.#unset(this.#root, receivingMark(dataset.slice(this.#root.length + 1)));
  }

  /** It is a clone of the workspace's newest snapshot, which nobody sees: that could not be destroyed while it is there. */
  async #dropPartial({ dataset, resumeToken }: WorkspaceState): Promise<void> {
    if (resumeToken === null) return;
    await this.#reserve.lend(() => this.#zfs.zfsRetrying(['BUSY'], 'receive', '-A', dataset));
  }

  /** Throws NOT_FOUND when the snapshot is gone by now. */
  async #fork(workspace: string, { state, snapshot }: Found): Promise<Workspace> {
    const dataset = this.#dataset(workspace);
    const replaced = await this.#stateToChange(workspace);
    if (replaced !== null) await this.#destroy(replaced);
    const source = snapshotName(state.dataset, snapshot.label);
    await this.#make(dataset, 'clone', '-o', `${ROLE}=workspace`, source, dataset);
    return { name: workspace, path: await this.#mount(dataset) };
  }

  /** One by one, the newest first: without -r and -R, ZFS refuses when something came between that was not looked at. */
  async #destroySnapshots(dataset: DatasetName, snapshots: readonly SnapshotState[]): Promise<void> {
    for (const { label } of snapshots.toReversed()) {
      await this.#reserve.lend(() =>
        this.#zfs.zfsRetrying(['BUSY'], 'destroy', snapshotName(dataset, label)),
      );
    }
  }

  /** Creates or clones a dataset. On a full pool ZFS may make it and then find no room for its mount point: then it goes again. */
  async #make(dataset: DatasetName, ...args: readonly string[]): Promise<void> {
    await this.#reserve.lend(async () => {
      try {
        await this.#zfs.zfs(...args);
      } catch (error) {
        if (isCode(error, 'NO_SPACE')) await this.#unmake(dataset);
        throw error;
      }
    });
  }

  async #unmake(dataset: DatasetName): Promise<void> {
    try {
      await this.#zfs.zfsRetrying(['BUSY'], 'destroy', dataset);
    } catch (error) {
      if (!isCode(error, 'NOT_FOUND')) throw error;
    }
  }

  async #mount(dataset: DatasetName): Promise<string> {
    return await this.#reserve.lend(() => mountDataset(this.#zfs, dataset));
  }

  /** Throws NOT_FOUND when there is no such checkpoint, or another one of its name. */
  async #find(checkpoint: Checkpoint): Promise<Found> {
    const dataset = this.#dataset(checkpoint.workspace);
    return foundIn(await readWorkspaceState(this.#zfs, dataset), dataset, checkpoint);
  }

  /** The same, for who is going to change the workspace: what was cut short in it is not to be taken for what is there. */
  async #findFor(workspace: string, checkpoint: Checkpoint): Promise<Found> {
    try {
      return await this.#find(checkpoint);
    } catch (error) {
      if (!isCode(error, 'NOT_FOUND') || !(await this.#asides.repair(workspace))) throw error;
      return await this.#find(checkpoint);
    }
  }

  async #stateToChange(workspace: string): Promise<WorkspaceState | null> {
    const dataset = this.#dataset(workspace);
    const state = await readWorkspaceState(this.#zfs, dataset);
    const mayBeCut = state === null || this.#asides.has(state.origin);
    const isRepaired = mayBeCut && (await this.#asides.repair(workspace));
    return isRepaired ? await readWorkspaceState(this.#zfs, dataset) : state;
  }

  /** A workspace that the checkpoint's came from would take it along when it goes. */
  async #refuseOrigin(source: DatasetName, dataset: DatasetName): Promise<void> {
    if (!(await originsOf(this.#zfs, this.#root, source)).includes(dataset)) return;
    throw new SnapshotStoreError('FAILED', `"${source}" was cloned from "${dataset}", and cannot replace it`);
  }
}

/** Throws NOT_FOUND. */
function foundIn(state: WorkspaceState | null, dataset: DatasetName, checkpoint: Checkpoint): Found {
  const { label, id } = checkpoint;
  const snapshot = state?.snapshots.find((each) => each.isWhole && each.label === label && each.guid === id);
  if (state !== null && snapshot !== undefined) return { checkpoint, state, snapshot };
  throw new SnapshotStoreError('NOT_FOUND', `the checkpoint ${dataset}@${label} (${id}) is gone`);
}
