// Needs redis-server, root, ZFS with a pool named in DC_TEST_POOL (scripts/with-zfs.sh), btrfs-progs, loop devices and a kernel with btrfs, and the built dist/ (of
// DISTROFARM_BUILT, when that is set).
import { execa } from 'execa';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { replicasConformance, type AgentStore } from '../support/replicas-conformance.js';
import { testPool } from '../support/test-build.js';
import type { TestFarm } from '../support/test-farm.js';

const IMAGE_BYTES = 1024 ** 3;

replicasConformance('on ZFS', { database: 'sqlite', makeStore: zfsStore });
replicasConformance('on btrfs', { database: 'sqlite', makeStore: btrfsStore });

/** A pool of its own for each agent, as hosts have. In one that they share, zfs-fuse may take another agent's snapshot for a lane's origin, and the lane is sent whole. */
async function zfsStore(_: TestFarm, index: number): Promise<AgentStore> {
  // Not in memory, which is where a temporary folder may be.
  const folder = await mkdtemp('/var/tmp/replicas-zfs-');
  const [image, pool] = [join(folder, 'image'), `${testPool()}x${index}`];
  await execa('fallocate', ['--length', String(IMAGE_BYTES), image]);
  await execa('zpool', ['create', '-m', join(folder, 'pool'), '-O', 'atime=off', pool, image]);
  return {
    place: `${pool}/agent`,
    // Steps of other agents on this host have all its mounts in theirs and keep it busy; what is of an agent that does not run, nobody can have.
    lose: () => Promise.resolve(),
    remove: async () => {
      await destroyPool(pool);
      await rm(folder, { recursive: true });
    },
  };
}

/** It is busy until the kernel has ended the steps of agents that were killed. */
async function destroyPool(pool: string): Promise<void> {
  for (;;) {
    const { exitCode, stderr } = await execa('zpool', ['destroy', '-f', pool], { reject: false });
    if (exitCode === 0) return;
    if (!/busy/.test(stderr)) throw new Error(stderr);
    await sleep(200);
  }
}

/** A file system of its own for each agent. The loop device goes with its last mount. */
async function btrfsStore(): Promise<AgentStore> {
  const folder = await mkdtemp(join(tmpdir(), 'replicas-btrfs-'));
  const [image, path] = [join(folder, 'image'), join(folder, 'mounted')];
  const make = async (): Promise<void> => {
    await writeFile(image, '');
    await truncate(image, IMAGE_BYTES);
    await execa('mkfs.btrfs', ['--quiet', image]);
    await execa('mount', ['-t', 'btrfs', '-o', 'loop', image, path]);
  };
  // What a killed step left busy goes a little later.
  const unmount = async (): Promise<void> => {
    await execa('umount', ['--recursive', '--lazy', path]);
    await rm(image);
  };
  await mkdir(path);
  await make();
  return {
    place: join(path, 'areas'),
    lose: async () => {
      await unmount();
      await make();
    },
    remove: async () => {
      await unmount();
      await rm(folder, { recursive: true });
    },
  };
}
