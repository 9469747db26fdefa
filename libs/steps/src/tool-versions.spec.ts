import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toolVersions } from './tool-versions.js';

let folder: string;
const memory = (): string => join(folder, 'tools.json');
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tool-versions-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('toolVersions', () => {
  it('tells the tools that are here, with what they say of themselves', async () => {
    const versions = await toolVersions(['sh', 'env', 'perl', 'no-such-tool'], memory());
    expect(versions).toMatchObject({ env: expect.stringContaining('env'), sh: expect.any(String) });
    expect(versions['perl']).toMatch(/perl/i);
    expect(versions).not.toHaveProperty('no-such-tool');
  });

  it('asks a tool once, and again when its file is another one', async () => {
    await toolVersions(['perl'], memory());
    const kept = JSON.parse(await readFile(memory(), 'utf8')) as Record<string, string>;
    const perl = Object.keys(kept).find((file) => file.startsWith('perl '))!;
    await writeFile(memory(), JSON.stringify({ [perl]: 'remembered' }));
    expect((await toolVersions(['perl'], memory()))['perl']).toBe('remembered');
    await writeFile(memory(), JSON.stringify({ [`${perl}0`]: 'of another file' }));
    expect((await toolVersions(['perl'], memory()))['perl']).toMatch(/perl/i);
  });

  it('asks without a memory, too', async () => {
    expect((await toolVersions(['perl'], null))['perl']).toMatch(/perl/i);
  });

  it.each(['', '[]', '{"perl": 5}', '{'])('does without a memory that holds %j', async (text) => {
    await writeFile(memory(), text);
    expect((await toolVersions(['perl'], memory()))['perl']).toMatch(/perl/i);
  });
});
