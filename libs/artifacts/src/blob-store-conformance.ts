import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId, type UploadId } from '#libs/contracts';
import { createHash, randomBytes } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { BlobStore } from './blob-store.js';

/** A store under test. `reopen` gives another instance on the same bytes, as a second process or a restart would. */
export interface BlobStoreUnderTest {
  readonly store: BlobStore;
  readonly reopen: () => Promise<BlobStore>;
  readonly remove: () => Promise<void>;
}

/** What every BlobStore does. Run it from the spec of each. */
export function blobStoreConformance(make: () => Promise<BlobStoreUnderTest>): void {
  let subject: BlobStoreUnderTest;
  let store: BlobStore;
  let upload: UploadId;
  beforeEach(async () => {
    subject = await make();
    store = subject.store;
    upload = newId('u');
  });
  afterEach(async () => {
    await store.close();
    await subject.remove();
  });

  const text = (content: string): Buffer => Buffer.from(content);
  const read = async (sha256: string): Promise<string> => String(await buffer(await store.open(sha256)));
  const code = (expected: string, offset: number | null = null): unknown =>
    expect.objectContaining({ name: 'BlobError', code: expected, offset });

  describe('blobs', () => {
    it('come back as they were put', async () => {
      const bytes = randomBytes(100_000);
      const sha256 = await store.put(bytes);
      expect(sha256).toBe(sha256Of(bytes));
      expect(await store.size(sha256)).toBe(100_000);
      expect(await buffer(await store.open(sha256))).toEqual(bytes);
      expect(await store.put(bytes)).toBe(sha256);
    });

    it('may be empty', async () => {
      const sha256 = await store.put(new Uint8Array());
      expect(await store.size(sha256)).toBe(0);
      expect(await read(sha256)).toBe('');
    });

    it.each([
      [{}, '0123456789'],
      [{ start: 3 }, '3456789'],
      [{ start: 9 }, '9'],
      [{ end: 3 }, '0123'],
      [{ start: 2, end: 2 }, '2'],
      [{ start: 5, end: 100 }, '56789'],
    ])('give the range %j', async (range, expected) => {
      const sha256 = await store.put(text('0123456789'));
      expect(String(await buffer(await store.open(sha256, range)))).toBe(expected);
    });

    it.each([[{ start: 10 }], [{ start: -1 }], [{ start: 5, end: 4 }], [{ start: 0.5 }]])(
      'refuse the range %j',
      async (range) => {
        const sha256 = await store.put(text('0123456789'));
        await expect(store.open(sha256, range)).rejects.toEqual(code('BAD_RANGE'));
      },
    );

    it('that are not there are not found', async () => {
      const sha256 = sha256Of(text('nothing'));
      await expect(store.open(sha256)).rejects.toEqual(code('NOT_FOUND'));
      expect([await store.has(sha256), await store.size(sha256)]).toEqual([false, null]);
      await store.remove(sha256);
    });

    it('are gone once removed', async () => {
      const sha256 = await store.put(text('x'));
      await store.remove(sha256);
      expect(await store.has(sha256)).toBe(false);
      expect(await all(store.list())).toEqual([]);
    });

    it('are listed with their length, and uploads with theirs', async () => {
      const [one, two] = [await store.put(text('one')), await store.put(text('twos'))];
      await store.append(upload, 0, text('half'));
      const listed = await all(store.list());
      expect(new Set(listed)).toEqual(
        new Set([
          { sha256: one, bytes: 3 },
          { sha256: two, bytes: 4 },
        ]),
      );
      expect(await all(store.listUploads())).toEqual([{ upload, bytes: 4 }]);
    });
  });

  describe('uploads', () => {
    it('grow by offset, become a blob, and are gone then', async () => {
      expect(await store.resume(upload)).toBe(0);
      expect(await store.append(upload, 0, text('one'))).toBe(3);
      expect(await store.append(upload, 3, Readable.from([text(' two'), text(' three')]))).toBe(13);
      expect(await store.resume(upload)).toBe(13);
      const sha256 = sha256Of(text('one two three'));
      await store.commit(upload, { sha256, bytes: 13 });
      expect(await read(sha256)).toBe('one two three');
      expect(await all(store.listUploads())).toEqual([]);
      expect(await store.resume(upload)).toBe(0);
    });

    it.each([[1], [2], [4]])('say where to go on when the offset is %i', async (offset) => {
      await store.append(upload, 0, text('one'));
      await expect(store.append(upload, offset, text('x'))).rejects.toEqual(code('WRONG_OFFSET', 3));
      expect(await store.resume(upload)).toBe(3);
    });

    it('say the truth after a stream that broke off, and go on from there', async () => {
      const bytes = randomBytes(3_000_000);
      const broken = Readable.from(breakingOff(bytes.subarray(0, 2_000_000)));
      await expect(store.append(upload, 0, broken)).rejects.toThrow('connection lost');
      const kept = await store.resume(upload);
      expect(kept).toBeLessThanOrEqual(2_000_000);
      expect(await store.append(upload, kept, bytes.subarray(kept))).toBe(3_000_000);
      await store.commit(upload, { sha256: sha256Of(bytes), bytes: 3_000_000 });
    });

    it('are taken over by a second call while the first still waits for bytes', async () => {
      const stuck = new PassThrough();
      stuck.write('half');
      const first = store.append(upload, 0, stuck);
      const refused = expect(first).rejects.toThrow();
      const again = async (): Promise<number> => {
        try {
          return await store.append(upload, 0, text('halfwhole'));
        } catch {
          const kept = await store.resume(upload);
          return await store.append(upload, kept, text('halfwhole').subarray(kept));
        }
      };
      expect(await again()).toBe(9);
      await refused;
      await store.commit(upload, { sha256: sha256Of(text('halfwhole')), bytes: 9 });
    });

    it('go on after a restart', async () => {
      await store.append(upload, 0, text('one'));
      const restarted = await subject.reopen();
      expect(await restarted.resume(upload)).toBe(3);
      await restarted.append(upload, 3, text('two'));
      const sha256 = sha256Of(text('onetwo'));
      await store.commit(upload, { sha256, bytes: 6 });
      expect(await buffer(await restarted.open(sha256))).toEqual(text('onetwo'));
      await restarted.close();
    });

    it.each([
      ['other bytes', 'two'],
      ['too many bytes', 'onetwo'],
    ])('of %s are refused and removed', async (_, content) => {
      await store.append(upload, 0, text(content));
      const expected = { sha256: sha256Of(text('one')), bytes: 3 };
      await expect(store.commit(upload, expected)).rejects.toEqual(code('DIGEST_MISMATCH'));
      expect(await store.has(expected.sha256)).toBe(false);
      expect(await all(store.listUploads())).toEqual([]);
      await expect(store.commit(upload, expected)).rejects.toEqual(code('NOT_FOUND'));
    });

    it('of other bytes are refused also when another process has seen them', async () => {
      await store.append(upload, 0, text('tw'));
      const other = await subject.reopen();
      await other.append(upload, 2, text('o'));
      const expected = { sha256: sha256Of(text('one')), bytes: 3 };
      await expect(store.commit(upload, expected)).rejects.toEqual(code('DIGEST_MISMATCH'));
      await other.close();
    });

    it('that are not whole can go on', async () => {
      await store.append(upload, 0, text('on'));
      const expected = { sha256: sha256Of(text('one')), bytes: 3 };
      await expect(store.commit(upload, expected)).rejects.toEqual(code('WRONG_OFFSET', 2));
      await store.append(upload, 2, text('e'));
      await store.commit(upload, expected);
    });

    it('may be committed again', async () => {
      await store.append(upload, 0, text('one'));
      const expected = { sha256: sha256Of(text('one')), bytes: 3 };
      await store.commit(upload, expected);
      await store.commit(upload, expected);
      expect(await read(expected.sha256)).toBe('one');
    });

    it('of one digest all succeed, at once or one after the other', async () => {
      const expected = { sha256: sha256Of(text('same')), bytes: 4 };
      const uploads = [newId('u'), newId('u'), newId('u')];
      for (const each of uploads) await store.append(each, 0, text('same'));
      await Promise.all(uploads.slice(0, 2).map(async (each) => await store.commit(each, expected)));
      await store.commit(uploads[2]!, expected);
      expect(await all(store.list())).toEqual([expected]);
      expect(await all(store.listUploads())).toEqual([]);
    });

    it('of nothing become the empty blob', async () => {
      await store.append(upload, 0, new Uint8Array());
      const expected = { sha256: sha256Of(text('')), bytes: 0 };
      await store.commit(upload, expected);
      expect(await store.size(expected.sha256)).toBe(0);
    });

    it('are gone once abandoned', async () => {
      await store.append(upload, 0, text('one'));
      await store.abandon(upload);
      await store.abandon(upload);
      expect(await store.resume(upload)).toBe(0);
      expect(await all(store.listUploads())).toEqual([]);
    });

    it('of several chunks larger than a part come out as they went in', async () => {
      const bytes = randomBytes(19 * 1024 * 1024);
      let at = 0;
      for (const size of [8 * 1024 * 1024, 1000, 9 * 1024 * 1024, bytes.length]) {
        at = await store.append(upload, at, Readable.from([bytes.subarray(at, at + size)]));
      }
      const sha256 = sha256Of(bytes);
      await store.commit(upload, { sha256, bytes: bytes.length });
      expect(sha256Of(await buffer(await store.open(sha256)))).toBe(sha256);
      const middle = { start: 8 * 1024 * 1024 - 5, end: 8 * 1024 * 1024 + 2000 };
      expect(await buffer(await store.open(sha256, middle))).toEqual(
        bytes.subarray(middle.start, middle.end + 1),
      );
    }, 30_000);
  });

  it.each(['', '..', '../x', '/etc/passwd', 'A'.repeat(64), `${'a'.repeat(64)}/`, 'u-../../../x', 'u-0'])(
    'takes %j for no name',
    async (name) => {
      const refused = code('BAD_NAME');
      await expect(store.size(name)).rejects.toEqual(refused);
      await expect(store.open(name)).rejects.toEqual(refused);
      await expect(store.remove(name)).rejects.toEqual(refused);
      await expect(store.resume(name)).rejects.toEqual(refused);
      await expect(store.append(name, 0, text('x'))).rejects.toEqual(refused);
      await expect(store.abandon(name)).rejects.toEqual(refused);
      await expect(store.commit(upload, { sha256: name, bytes: 1 })).rejects.toEqual(refused);
    },
  );
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function* breakingOff(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65536) yield bytes.subarray(at, at + 65536);
  await Promise.resolve();
  throw new Error('connection lost');
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const gathered: T[] = [];
  for await (const item of items) gathered.push(item);
  return gathered;
}
