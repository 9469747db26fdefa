import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '#libs/contracts';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blobStoreConformance } from './blob-store-conformance.js';
import { DirectoryBlobStore } from './directory-blob-store.js';

describe('DirectoryBlobStore', () => {
  blobStoreConformance(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'blobs-'));
    return {
      store: await DirectoryBlobStore.open(join(folder, 'new')),
      reopen: async () => await DirectoryBlobStore.open(join(folder, 'new')),
      remove: async () => rm(folder, { recursive: true }),
    };
  });

  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'blobs-'));
  });
  afterEach(async () => rm(folder, { recursive: true }));

  it('closes its folders to others', async () => {
    const store = await DirectoryBlobStore.open(join(folder, 'store'));
    const sha256 = await store.put(Buffer.from('x'));
    for (const name of ['', 'blobs', 'uploads', `blobs/${sha256.slice(0, 2)}`])
      expect((await stat(join(folder, 'store', name))).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, 'store/blobs', sha256.slice(0, 2), sha256))).mode & 0o777).toBe(0o600);
  });

  it('does not use a folder that is a link, a file, or writable for others', async () => {
    const unusable = { code: 'UNUSABLE' };
    await symlink('/tmp', join(folder, 'link'));
    await expect(DirectoryBlobStore.open(join(folder, 'link'))).rejects.toMatchObject(unusable);
    await writeFile(join(folder, 'file'), '');
    await expect(DirectoryBlobStore.open(join(folder, 'file'))).rejects.toMatchObject(unusable);
    await mkdir(join(folder, 'open'));
    await chmod(join(folder, 'open'), 0o777);
    await expect(DirectoryBlobStore.open(join(folder, 'open'))).rejects.toMatchObject(unusable);
  });

  it('does not write or read through a link', async () => {
    const store = await DirectoryBlobStore.open(folder);
    const [upload, sha256] = [newId('u'), 'ab'.repeat(32)];
    await writeFile(join(folder, 'victim'), 'mine');
    await symlink(join(folder, 'victim'), join(folder, 'uploads', upload));
    await expect(store.append(upload, 0, Buffer.from('x'))).rejects.toMatchObject({ code: 'ELOOP' });
    await mkdir(join(folder, 'blobs/ab'));
    await symlink('/etc/passwd', join(folder, 'blobs/ab', sha256));
    await expect(store.open(sha256)).rejects.toMatchObject({ code: 'ELOOP' });
    expect(await readdir(join(folder, 'blobs/ab'))).toEqual([sha256]);
  });
});
