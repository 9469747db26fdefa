import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastWords, openPartLog } from './part-log.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'part-log-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function write(text: string): Promise<string> {
  const { path, file } = await openPartLog(folder, 'agent');
  await file.write(text);
  await file.close();
  return path;
}

describe('the log of a part', () => {
  it('begins anew at each start, keeps the one before, and is its owner’s', async () => {
    await write('first');
    await write('second');
    const path = await write('third');
    expect(await readFile(path, 'utf8')).toBe('third');
    expect(await readFile(`${path}.1`, 'utf8')).toBe('second');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('ends with words for people', async () => {
    const path = await write(
      'plain\n\n{"level":30,"msg":"connected"}\n{"level":40,"msg":"claim failed","err":{"message":"refused"}}\n{"a":1}\n',
    );
    expect(await lastWords(path, 4)).toEqual(['plain', 'connected', 'claim failed: refused', '{"a":1}']);
    expect(await lastWords(path, 1)).toEqual(['{"a":1}']);
    expect(await lastWords(join(folder, 'none'), 3)).toEqual([]);
  });
});
