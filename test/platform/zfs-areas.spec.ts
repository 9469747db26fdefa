// Needs root and ZFS, with a pool named in DC_TEST_POOL (scripts/with-zfs.sh).
import { parseDatasetName, ZfsAreas, ZfsCommand } from '#libs/snapshots';
import { jest } from '@jest/globals';
import { execa } from 'execa';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { areasConformance } from '../../libs/snapshots/src/areas-conformance.js';

jest.setTimeout(60_000);
let made = 0;

areasConformance(async () => {
  const root = parseDatasetName(`${process.env['DC_TEST_POOL'] ?? ''}/areas${++made}`);
  const areas = new ZfsAreas({ root, layout: ['tmp'] });
  const path = await areas.prepare();
  return {
    areas,
    root: path,
    makeForeign: async (name) => {
      await execa('zfs', ['create', `${root}/${name}`]);
      await writeFile(join(path, name, 'precious'), 'x');
      return join(path, name);
    },
    cleanup: async () => {
      await new ZfsCommand().zfsRetrying(['BUSY'], 'destroy', '-R', root);
    },
  };
});
