import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readListing, type ListedEntry } from '#libs/listing';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { writeListing } from './write-listing.js';

describe('writeListing', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'write-listing-'));
    await mkdir(join(folder, 'tree/pkg_image/var/lib/dpkg'), { recursive: true });
  });
  afterEach(() => rm(folder, { recursive: true }));

  const write = async (file = 'listing') =>
    await writeListing(join(folder, 'tree'), join(folder, file), new AbortController().signal);
  async function read(file = 'listing') {
    const bytes = gunzipSync(await readFile(join(folder, file)));
    const listing = readListing(
      (async function* () {
        await Promise.resolve();
        yield bytes;
      })(),
    );
    const entries: ListedEntry[] = [];
    for (;;) {
      const next = await listing.next();
      if (next.done === true) return { entries, end: next.value };
      entries.push(next.value);
    }
  }

  it('has all entries, the packages of the image, and the digest of the file itself', async () => {
    const status = 'Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n';
    await writeFile(join(folder, 'tree/pkg_image/var/lib/dpkg/status'), status);
    await writeFile(join(folder, 'tree/pkg_image/zzz'), 'content that goes nowhere');
    const { sha256, bytes } = await write();
    const file = await readFile(join(folder, 'listing'));
    expect([sha256, bytes]).toEqual([createHash('sha256').update(file).digest('hex'), file.length]);
    expect(gunzipSync(file).toString()).not.toContain('nowhere');
    const { entries, end } = await read();
    expect(entries.map(({ path }) => path)).toEqual([
      'pkg_image',
      'pkg_image/var',
      'pkg_image/var/lib',
      'pkg_image/var/lib/dpkg',
      'pkg_image/var/lib/dpkg/status',
      'pkg_image/zzz',
    ]);
    expect(end).toEqual({ packages: [{ name: 'a', architecture: 'all', version: '1' }], entries: 6 });
    expect((await write('again')).sha256).toBe(sha256);
  });

  it('says that there is no dpkg where there is none', async () => {
    await write();
    expect((await read()).end.packages).toBeNull();
  });

  it('is no listing of what cannot be read', async () => {
    const nowhere = writeListing(join(folder, 'no'), join(folder, 'l'), new AbortController().signal);
    await expect(nowhere).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
