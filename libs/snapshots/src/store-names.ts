import { SnapshotStoreError } from '#libs/engine';

/**
 * Names that every backend can keep: they are components of dataset names here and file names there. A workspace's name does not start with a
 * dot, because that is where a store keeps its own things.
 */
const WORKSPACE = /^[A-Za-z0-9_][A-Za-z0-9_.:-]*$/;
const LABEL = /^[A-Za-z0-9_.:][A-Za-z0-9_.:-]*$/;
const MAX_LENGTH = 200;

/** The label of the state nobody has worked in, in distro_const and in the ZFS store. */
export const EMPTY = 'empty';

/** Throws SnapshotStoreError FAILED. */
export function refuseBadWorkspace(name: string): void {
  if (!WORKSPACE.test(name) || name.length > MAX_LENGTH) throw badName(name, 'workspace');
}

/** Throws SnapshotStoreError FAILED, or EXISTS for the label that stores keep for themselves. */
export function refuseBadLabel(label: string): void {
  if (label === EMPTY)
    throw new SnapshotStoreError('EXISTS', `the label "${EMPTY}" is that of the empty workspace`);
  if (!LABEL.test(label) || label === '.' || label === '..' || label.length > MAX_LENGTH)
    throw badName(label, 'checkpoint');
}

function badName(name: string, what: string): SnapshotStoreError {
  return new SnapshotStoreError(
    'FAILED',
    `"${name}" cannot name a ${what}`,
    'expected letters, digits and _ . : -',
  );
}
