import type { Download } from '#libs/http-client';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { BlobCache, type FetchBlob, type Retry, type WantedBlob } from './blob-cache.js';
import { TransferError } from './transfer-error.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blob-cache-'));
});
afterEach(async () => rm(folder, { recursive: true }));

const signal = new AbortController().signal;
const blobOf = (text: string): WantedBlob => ({
  sha256: createHash('sha256').update(text).digest('hex'),
  bytes: text.length,
});
const retry: Retry = async (call) => {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
};

/** Serves `text` from the offset on, breaking off after `cut` bytes the first time. */
function server(text: string, cut = Infinity): { readonly fetch: FetchBlob; readonly offsets: number[] } {
  const offsets: number[] = [];
  const fetch: FetchBlob = (_, offset) => {
    offsets.push(offset);
    const rest = text.slice(offset);
    const isCut = offsets.length === 1 && rest.length > cut;
    const body = Readable.from(
      (function* () {
        yield Buffer.from(isCut ? rest.slice(0, cut) : rest);
        if (isCut) throw new RangeError('broke off');
      })(),
    );
    return Promise.resolve({ status: offset > 0 ? 206 : 200, headers: {}, body } satisfies Download);
  };
  return { fetch, offsets };
}

const get = async (cache: BlobCache, text: string, fetch: FetchBlob): Promise<string> => {
  const use = cache.use(fetch, retry, signal);
  try {
    return await readFile(await use.get(blobOf(text)), 'utf8');
  } finally {
    use.close();
  }
};

describe('BlobCache', () => {
  it('fetches once, also when several want it', async () => {
    const cache = new BlobCache(folder, 1e6);
    const { fetch, offsets } = server('some bytes');
    expect(await Promise.all([1, 2].map(() => get(cache, 'some bytes', fetch)))).toEqual([
      'some bytes',
      'some bytes',
    ]);
    expect(offsets).toEqual([0]);
  });

  it('goes on where a download broke off', async () => {
    const { fetch, offsets } = server('some bytes', 4);
    expect(await get(new BlobCache(folder, 1e6), 'some bytes', fetch)).toBe('some bytes');
    expect(offsets).toEqual([0, 4]);
  });

  it('begins again when what was fetched before is damaged', async () => {
    await writeFile(join(folder, `${blobOf('some bytes').sha256}.part`), 'SOME');
    const { fetch, offsets } = server('some bytes');
    expect(await get(new BlobCache(folder, 1e6), 'some bytes', fetch)).toBe('some bytes');
    expect(offsets).toEqual([4, 0]);
  });

  it('takes nothing that is not what the digest says', async () => {
    const cache = new BlobCache(folder, 1e6);
    await expect(get(cache, 'some bytes', server('OTHER byte').fetch)).rejects.toThrow(TransferError);
    await expect(get(cache, 'some bytes', server('some bytes and more').fetch)).rejects.toThrow(
      TransferError,
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it('lets the least recently used go, but none that is in use', async () => {
    const cache = new BlobCache(folder, 10);
    const use = cache.use(server('first').fetch, retry, signal);
    await use.get(blobOf('first'));
    await get(cache, 'second', server('second').fetch);
    await get(cache, 'third', server('third').fetch);
    const names = [blobOf('first'), blobOf('third')].map(({ sha256 }) => sha256).toSorted();
    expect((await readdir(folder)).toSorted()).toEqual(names);
    use.close();
  });

  it('has an empty blob, too', async () => {
    expect(await get(new BlobCache(folder, 10), '', server('').fetch)).toBe('');
  });

  it('keeps what was made here, fetches it no more, and leaves nothing of what failed', async () => {
    const cache = new BlobCache(folder, 100);
    await cache.prepare();
    const blob = blobOf('made');
    const use = cache.use(server('made').fetch, retry, signal);
    const make = async (into: string) => {
      await writeFile(join(into, blob.sha256), 'made');
      await writeFile(join(into, 'other'), 'x');
      return { pieces: [blob, blob] };
    };
    expect(await use.make(make)).toEqual({ pieces: [blob, blob] });
    expect(await readFile(use.pathOf(blob), 'utf8')).toBe('made');
    await expect(
      use.make(async (into) => {
        await make(into);
        throw new Error('no room');
      }),
    ).rejects.toThrow('no room');
    expect(await readdir(folder)).toEqual([blob.sha256]);
    use.close();
    const { fetch, offsets } = server('made');
    expect(await get(cache, 'made', fetch)).toBe('made');
    expect(offsets).toEqual([]);
  });
});
