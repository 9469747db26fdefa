import { describe, expect, it } from '@jest/globals';
import { newId } from '#libs/contracts';
import { mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectoryLogStore } from './directory-log-store.js';
import { logStoreConformance } from './log-store-conformance.js';

describe('DirectoryLogStore', () => {
  logStoreConformance(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'logs-'));
    return {
      store: await DirectoryLogStore.open(folder),
      reopen: async () => await DirectoryLogStore.open(folder),
      remove: async () => rm(folder, { recursive: true }),
    };
  });

  it('says where to go on when a power failure made a log shorter', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'logs-'));
    const store = await DirectoryLogStore.open(folder);
    const attempt = newId('t');
    await store.append(attempt, 0, Buffer.from('acknowledged'));
    await truncate(join(folder, `${attempt}.log`), 5);
    await expect(store.append(attempt, 12, Buffer.from('more'))).rejects.toMatchObject({ offset: 5 });
    expect(await store.append(attempt, 5, Buffer.from(' more'))).toBe(10);
    await store.close();
    await rm(folder, { recursive: true });
  });

  it('writes at once to more logs than it keeps open', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'logs-'));
    const store = await DirectoryLogStore.open(folder);
    const attempts = Array.from({ length: 600 }, () => newId('t'));
    for (const [offset, content] of ['one', 'two', 'three'].entries()) {
      await Promise.all(
        attempts.map(async (each) => await store.append(each, offset * 3, Buffer.from(content))),
      );
    }
    for (const each of attempts) expect(String(await store.read(each, 0, 100))).toBe('onetwothree');
    await store.close();
    await rm(folder, { recursive: true });
  });

  it('does not write through a link', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'logs-'));
    const store = await DirectoryLogStore.open(folder);
    const attempt = newId('t');
    await writeFile(join(folder, 'victim'), 'mine');
    await symlink(join(folder, 'victim'), join(folder, `${attempt}.log`));
    await expect(store.append(attempt, 4, Buffer.from('x'))).rejects.toMatchObject({ code: 'ELOOP' });
    expect(await readFile(join(folder, 'victim'), 'utf8')).toBe('mine');
    await rm(folder, { recursive: true });
  });
});
