import { poolOf, type DatasetName } from './dataset-name.js';
import type { ZfsCommand } from './zfs-command.js';

/** A dataset or volume of the pool. */
export interface Relative {
  readonly name: string;
  /** Snapshot it was cloned from; `-` for none. */
  readonly origin: string;
}

/** In one call for the pool: `zfs get -r` would ask each snapshot, too. */
export async function readRelatives(zfs: ZfsCommand, dataset: DatasetName): Promise<readonly Relative[]> {
  const columns = ['-o', 'name,origin'];
  const output = await zfs.zfs('list', '-H', '-r', '-t', 'filesystem,volume', ...columns, poolOf(dataset));
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))
    .map(([name = '', origin = '']) => ({ name, origin }));
}
