import type { ValueRule } from './value-rule.js';

/** ZFS's own limit for the name of a dataset or snapshot (ZFS_MAX_DATASET_NAME_LEN less the final NUL). */
export const LONGEST_ZFS_NAME = 255;

/**
 * One component of a dataset name, by OpenZFS `module/zcommon/zfs_namecheck.c`, less the blank, which it allows
 * and scripts do not survive. A leading `-` would read as an option.
 */
const COMPONENT = /^[A-Za-z0-9_.:][A-Za-z0-9_.:-]*$/;
/** `pool_namecheck` in the same file: a letter first, and none of the words that `zpool create` takes for a vdev. */
const POOL = /^(?!(mirror|raidz|draid|spare|log|cache|special|dedup)([\d:.]|$))[A-Za-z][A-Za-z0-9_.:-]*$/;
const PATH_PART = /^[A-Za-z0-9_.:+@%,=~ -]+$/;

export const buildAreaName: ValueRule = {
  expected:
    'a dataset below a pool such as rpool/dc (letters, digits and _ . : - in each part), or an absolute path without "..", quotes or shell characters',
  accepts: (value) => {
    const name = normalBuildArea(value);
    return name.startsWith('/') ? isPlainPath(name) : isDatasetBelowPool(name);
  },
};

/** A build area named elsewhere than in a manifest, by the same rule. */
export function parseBuildArea(
  value: string,
): { readonly ok: true; readonly buildArea: string } | { readonly ok: false; readonly expected: string } {
  if (!buildAreaName.accepts(value)) return { ok: false, expected: buildAreaName.expected };
  return { ok: true, buildArea: normalBuildArea(value) };
}

/** Without trailing and doubled slashes. distro_const lost its checkpoints over a trailing one. */
export function normalBuildArea(value: string): string {
  return value.replace(/\/+/g, '/').replace(/(?<=.)\/$/, '');
}

function isDatasetBelowPool(name: string): boolean {
  const [pool = '', ...rest] = name.split('/');
  const isNamed = (part: string): boolean => COMPONENT.test(part) && part !== '.' && part !== '..';
  return POOL.test(pool) && rest.length > 0 && rest.every(isNamed) && name.length <= LONGEST_ZFS_NAME;
}

function isPlainPath(path: string): boolean {
  const parts = path.slice(1).split('/');
  return parts.every((part) => PATH_PART.test(part) && part !== '.' && part !== '..') && path.length <= 1024;
}

/** The longest name that a build gives to a snapshot in this build area: the state in front of `step`. */
export function snapshotName(dataset: string, lane: string, step: string): string {
  return `${dataset}/build_data${lane === 'main' ? '' : `.${lane}`}@.step_${step}`;
}
