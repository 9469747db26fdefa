// Needs root (the store behind it keeps owners).
import { DirectorySnapshotStore } from '#libs/snapshots';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { snapshotStorePartialConformance } from '../../../../libs/engine/src/snapshot-store-partial-conformance.js';
import { KeepingStore } from './testing-keeping-store.js';

snapshotStorePartialConformance(
  'KeepingStore',
  async ({ layout }) => {
    const root = await mkdtemp(join(tmpdir(), 'keeping-store-'));
    const store = new KeepingStore(new DirectorySnapshotStore({ root, layout }));
    return {
      store,
      root,
      reopen: () => store,
      makeForeign: async (workspace) => {
        await mkdir(join(root, workspace));
        await writeFile(join(root, workspace, 'precious'), 'x');
        return join(root, workspace);
      },
      cleanup: async () => {
        await rm(root, { recursive: true });
      },
    };
  },
  true,
);
