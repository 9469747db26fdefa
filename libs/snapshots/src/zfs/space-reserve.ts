import { SnapshotStoreError, type Space } from '#libs/engine';
import { isCode } from '../store-errors.js';
import { childDataset, type DatasetName } from './dataset-name.js';
import { readProperties, type Properties } from './dataset-properties.js';
import { ROLE } from './workspace-state.js';
import { retrying, type ZfsCommand } from './zfs-command.js';

const BYTES = 64 * 1024 * 1024;
const SHARE = 0.05;

/** Room kept back in the build area, so that a full pool can still be rolled back: zfs-fuse refuses even that without. */
export class SpaceReserve {
  readonly #dataset: DatasetName;

  constructor(
    private readonly zfs: ZfsCommand,
    root: DatasetName,
  ) {
    this.#dataset = childDataset(root, 'reserve');
  }

  /** Sees to it that there is a reserve. On a full pool there may be none until there is room again. Throws FOREIGN_DATA. */
  async hold({ freeBytes }: Space): Promise<void> {
    const properties = await this.#properties();
    const reservation = `reservation=${Math.floor(Math.min(BYTES, freeBytes * SHARE))}`;
    if (properties === null) {
      await this.zfs.zfs(
        'create',
        '-o',
        'canmount=off',
        '-o',
        `${ROLE}=reserve`,
        '-o',
        reservation,
        this.#dataset,
      );
    } else if (!isReserved(properties)) {
      await this.#set(reservation);
    }
  }

  /** Does something that a full pool may refuse: then gives the reserve away for as long as it takes. */
  async lend<T>(operation: () => Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      const properties = isCode(error, 'NO_SPACE') ? await this.#properties() : null;
      if (properties === null || !isReserved(properties)) throw error;
      return await this.#lendFrom(properties.get('reservation') ?? '', operation);
    }
  }

  async #lendFrom<T>(bytes: string, operation: () => Promise<T>): Promise<T> {
    await this.zfs.zfs('set', 'reservation=none', this.#dataset);
    try {
      // Room appears a little after it was given back.
      return await retrying(['NO_SPACE'], operation);
    } finally {
      await this.#set(`reservation=${bytes}`);
    }
  }

  /** When there is no room for it now, the next `hold` does it. */
  async #set(reservation: string): Promise<void> {
    try {
      await this.zfs.zfs('set', reservation, this.#dataset);
    } catch (error) {
      if (!isCode(error, 'NO_SPACE')) throw error;
    }
  }

  /** `null` when there is none. */
  async #properties(): Promise<Properties | null> {
    try {
      const properties = (await readProperties(this.zfs, this.#dataset, 0, ['reservation', ROLE])).get(
        this.#dataset,
      );
      if (properties?.get(ROLE) === 'reserve') return properties;
    } catch (error) {
      if (isCode(error, 'NOT_FOUND')) return null;
      throw error;
    }
    throw new SnapshotStoreError(
      'FOREIGN_DATA',
      `dataset "${this.#dataset}" was not made by distro_const, which keeps room back under that name`,
      `Rename it (zfs rename ${this.#dataset} …), or name another build area.`,
    );
  }
}

function isReserved(properties: Properties): boolean {
  return !['0', 'none'].includes(properties.get('reservation') ?? 'none');
}
