import { SnapshotStoreError } from '#libs/engine';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { mountsBelow } from './mounts.js';
import { treeUsers } from './tree-users.js';

/**
 * Takes down what someone mounted below a workspace (a shell left in a chroot, say), so that it can be rolled back. Never by force: a lazy unmount
 * would leave the tree pinned. Throws BUSY naming the mount and its users.
 */
export async function releaseMountsBelow(path: string): Promise<void> {
  for (const mount of await mountsBelow(path)) {
    try {
      await promisify(execFile)('umount', ['--', mount]);
    } catch (error) {
      const users = await treeUsers(mount);
      const by = users.length === 0 ? '' : ` by ${users.join(', ')}`;
      throw new SnapshotStoreError(
        'BUSY',
        `${mount} is mounted below the workspace and in use${by}`,
        `umount ${mount}`,
        { cause: error },
      );
    }
  }
}
