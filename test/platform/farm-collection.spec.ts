// Needs redis-server, root, ZFS with a pool named in DC_TEST_POOL (scripts/with-zfs.sh), and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { execa } from 'execa';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { collectionConformance } from '../support/collection-conformance.js';
import type { AgentStore } from '../support/replicas-conformance.js';
import { testPool } from '../support/test-build.js';

const IMAGE_BYTES = 512 * 1024 ** 2;

collectionConformance('on ZFS', { database: 'sqlite', makeStore: smallPool });

async function smallPool(): Promise<AgentStore> {
  const folder = await mkdtemp('/var/tmp/collection-zfs-');
  const [image, pool] = [join(folder, 'image'), `${testPool()}c`];
  await execa('fallocate', ['--length', String(IMAGE_BYTES), image]);
  await execa('zpool', ['create', '-m', join(folder, 'pool'), '-O', 'atime=off', pool, image]);
  const destroy = async (): Promise<void> => {
    // It is busy until the kernel has ended the steps of agents that were killed.
    for (;;) {
      const { exitCode, stderr } = await execa('zpool', ['destroy', '-f', pool], { reject: false });
      if (exitCode === 0) break;
      if (!/busy/.test(stderr)) throw new Error(stderr);
      await sleep(200);
    }
    await rm(folder, { recursive: true });
  };
  return { place: `${pool}/agent`, lose: destroy, remove: destroy };
}
