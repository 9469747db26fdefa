import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readScript } from './script-source.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'script-source-'));
});
afterEach(async () => rm(folder, { recursive: true }));

async function read(text: string, mode = 0o755): ReturnType<typeof readScript> {
  const path = join(folder, 'script');
  await writeFile(path, text, { mode });
  return await readScript(path);
}

describe('readScript', () => {
  it.each<[string, string, readonly string[] | null]>([
    ['nothing', '#!/bin/sh\n', null],
    ['one line', '#!/bin/sh\n# farm:reads: img_params/rootpass name\n', ['img_params/rootpass', 'name']],
    ['several lines', '#\n# farm:reads: a\n#farm:reads:  b\n', ['a', 'b']],
    ['that it reads nothing', '# farm:reads:\n', []],
    ['something only far down', `#\n${'#\n'.repeat(5000)}# farm:reads: a\n`, null],
  ])('finds that a script declares %s', async (_, text, reads) => {
    expect(await read(text)).toMatchObject({ ok: true, script: { reads } });
  });

  it('finds which variables a script looks at', async () => {
    const text = '#!/bin/sh\n# farm:environment: DC_STEP\n# farm:environment: DC_LANE DC_MANIFEST_FOLDER\n';
    expect(await read(text)).toMatchObject({
      script: { environment: ['DC_STEP', 'DC_LANE', 'DC_MANIFEST_FOLDER'], reads: null },
    });
    expect(await read('#!/bin/sh\n')).toMatchObject({ script: { environment: [] } });
  });

  it('tells scripts apart by their bytes', async () => {
    const [one, two] = [await read('#!/bin/sh\n'), await read('#!/bin/sh\n#\n')];
    expect(one.ok && two.ok && one.script.digest !== two.script.digest).toBe(true);
  });

  it('tells scripts apart by the files they include', async () => {
    const text = '#!/bin/bash\n# farm:includes: common.sh\n';
    expect(await read(text)).toEqual({ ok: false, reason: 'includes common.sh, which does not exist' });
    const digests = new Set<string>();
    for (const content of ['one', 'two']) {
      await writeFile(join(folder, 'common.sh'), content);
      const result = await read(text);
      if (result.ok) digests.add(result.script.digest);
    }
    expect(digests.size).toBe(2);
  });

  it('says why a script cannot be run', async () => {
    expect(await read('#!/bin/sh\n', 0o644)).toEqual({ ok: false, reason: 'is not executable' });
    expect(await readScript(join(folder, 'nothing'))).toEqual({ ok: false, reason: 'does not exist' });
    expect(await readScript(folder)).toEqual({ ok: false, reason: 'is not a regular file' });
  });
});
