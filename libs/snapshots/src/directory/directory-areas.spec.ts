import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { areasConformance } from '../areas-conformance.js';
import { DirectoryAreas } from './directory-areas.js';

areasConformance(async () => {
  const root = await mkdtemp(join(tmpdir(), 'directory-areas-'));
  return {
    areas: new DirectoryAreas({ root, layout: ['tmp'] }),
    root,
    makeForeign: async (name) => {
      await mkdir(join(root, name));
      await writeFile(join(root, name, 'precious'), 'x');
      return join(root, name);
    },
    cleanup: async () => rm(root, { recursive: true }),
  };
});
