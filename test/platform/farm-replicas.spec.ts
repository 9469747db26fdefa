// Needs redis-server, root, ZFS with a pool named in DC_TEST_POOL (scripts/with-zfs.sh), btrfs-progs, loop devices and a kernel with btrfs, and the built dist/ (of
// DISTROFARM_BUILT, when that is set).
import { execa } from 'execa';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { replicasConformance, type AgentStore } from '../support/replicas-conformance.js';
import { testPool } from '../support/test-build.js';

replicasConformance('on ZFS', {
  database: 'sqlite',
  // Seen now and then, and not yet understood: a copy too many, never one too few.
  sendsLaneWholeToo: true,
  // The pool goes when the tests have ended; what is of an agent that does not run, nobody can have.
  makeStore: (_, index) =>
    Promise.resolve({
      place: `${testPool()}/replicas${index}`,
      lose: () => Promise.resolve(),
      remove: () => Promise.resolve(),
    }),
});

const IMAGE_BYTES = 1024 ** 3;

replicasConformance('on btrfs', { database: 'sqlite', makeStore: btrfsStore });

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
