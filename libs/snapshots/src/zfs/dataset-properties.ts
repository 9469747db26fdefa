import type { DatasetName, SnapshotName } from './dataset-name.js';
import type { ZfsCommand } from './zfs-command.js';

/** Properties of one dataset or snapshot, by name; those without a value are absent. */
export type Properties = ReadonlyMap<string, string>;

/**
 * Reads properties of a dataset and, with depth 1, of its snapshots and direct children, by full name. `zfs get -Hp` is the one output
 * that OpenZFS and zfs-fuse write alike and exactly: `zfs list` rounds guids there.
 */
export async function readProperties(
  zfs: ZfsCommand,
  dataset: DatasetName | SnapshotName,
  depth: 0 | 1,
  names: readonly string[],
): Promise<ReadonlyMap<string, Properties>> {
  const recursion = depth === 0 ? [] : ['-d', '1'];
  const output = await zfs.zfs(
    'get',
    '-Hp',
    ...recursion,
    '-o',
    'name,property,value',
    names.join(','),
    dataset,
  );
  const found = new Map<string, Map<string, string>>();
  for (const line of output.split('\n')) {
    const [name = '', property = '', ...value] = line.split('\t');
    if (name === '') continue;
    const properties = found.get(name) ?? new Map<string, string>();
    found.set(name, properties);
    const text = value.join('\t');
    if (text !== '-') properties.set(property, text);
  }
  return found;
}
