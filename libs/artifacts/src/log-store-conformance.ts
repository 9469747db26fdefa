import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId, type AttemptId } from '#libs/contracts';
import fc from 'fast-check';
import type { LogStore } from './log-store.js';

/** A store under test. `reopen` gives another instance on the same bytes, as a second process or a restart would. */
export interface LogStoreUnderTest {
  readonly store: LogStore;
  readonly reopen: () => Promise<LogStore>;
  readonly remove: () => Promise<void>;
}

/** What every LogStore does. Run it from the spec of each. */
export function logStoreConformance(make: () => Promise<LogStoreUnderTest>): void {
  let subject: LogStoreUnderTest;
  let store: LogStore;
  let attempt: AttemptId;
  beforeEach(async () => {
    subject = await make();
    store = subject.store;
    attempt = newId('t');
  });
  afterEach(async () => {
    await store.close();
    await subject.remove();
  });

  const text = (content: string): Buffer => Buffer.from(content);
  const whole = async (): Promise<string> => String(await store.read(attempt, 0, 10_000));

  describe('append', () => {
    it('adds at the end, and says the new length', async () => {
      expect(await store.length(attempt)).toBe(0);
      expect(await store.append(attempt, 0, text('one\n'))).toBe(4);
      expect(await store.append(attempt, 4, text('two\n'))).toBe(8);
      expect(await store.length(attempt)).toBe(8);
      expect(await whole()).toBe('one\ntwo\n');
    });

    it.each([
      ['the same again', 0, 'one', 3, 'one'],
      ['a part of what is there', 1, 'n', 3, 'one'],
      ['something else at the same place', 0, 'ONE', 3, 'one'],
      ['what overlaps the end', 1, 'netwo', 6, 'onetwo'],
      ['nothing', 3, '', 3, 'one'],
    ])('keeps what is there: %s', async (_, offset, content, length, expected) => {
      await store.append(attempt, 0, text('one'));
      expect(await store.append(attempt, offset, text(content))).toBe(length);
      expect(await whole()).toBe(expected);
    });

    it('refuses to leave a gap, and says where to go on', async () => {
      const gap = { name: 'BlobError', code: 'WRONG_OFFSET' };
      await expect(store.append(attempt, 1, text('x'))).rejects.toMatchObject({ ...gap, offset: 0 });
      await store.append(attempt, 0, text('one'));
      await expect(store.append(attempt, 4, text('x'))).rejects.toMatchObject({ ...gap, offset: 3 });
      expect(await whole()).toBe('one');
    });

    it('does calls of one attempt in their order', async () => {
      const offsets = Array.from({ length: 20 }, (_, index) => index * 2);
      await Promise.all(
        offsets.map(async (offset) => await store.append(attempt, offset, text(`${offset % 10}\n`))),
      );
      expect(await whole()).toBe(offsets.map((offset) => `${offset % 10}\n`).join(''));
    });

    it('goes on after a restart, and beside another process', async () => {
      await store.append(attempt, 0, text('one'));
      const other = await subject.reopen();
      expect(await other.append(attempt, 3, text('two'))).toBe(6);
      expect(await store.append(attempt, 3, text('two three'))).toBe(12);
      expect(String(await other.read(attempt, 0, 100))).toBe('onetwo three');
      await other.close();
    });

    it('gives the same log however it is cut and repeated', async () => {
      const log = Buffer.from(Array.from({ length: 1000 }, (_, at) => at % 251));
      const step = fc.record({ back: fc.nat(60), length: fc.nat(200) });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
          attempt = newId('t');
          let length = 0;
          for (const { back, length: size } of steps) {
            const offset = Math.max(0, length - back);
            length = await store.append(attempt, offset, log.subarray(offset, offset + size));
          }
          expect(await store.length(attempt)).toBe(length);
          expect(await readAll(store, attempt, 97)).toEqual(log.subarray(0, length));
        }),
        { numRuns: 15 },
      );
    });
  });

  describe('read', () => {
    it.each([
      [0, 3, 'one'],
      [1, 3, 'net'],
      [4, 100, 'wo'],
      [6, 100, ''],
      [100, 100, ''],
      [0, 0, ''],
    ])('gives from %i at most %i bytes', async (offset, maxBytes, expected) => {
      await store.append(attempt, 0, text('one'));
      await store.append(attempt, 3, text('two'));
      const first = await store.read(attempt, offset, maxBytes);
      const rest = await store.read(attempt, offset + first.length, maxBytes - first.length);
      expect(String(first) + String(rest)).toBe(expected);
    });

    it('gives nothing of a log that is not there', async () => {
      expect(await store.read(attempt, 0, 10)).toEqual(Buffer.alloc(0));
    });
  });

  it('removes a log, which may begin again', async () => {
    await store.append(attempt, 0, text('one'));
    await store.remove(attempt);
    await store.remove(attempt);
    expect(await store.length(attempt)).toBe(0);
    expect(await store.append(attempt, 0, text('two'))).toBe(3);
    expect(await whole()).toBe('two');
  });

  it('keeps the logs of many attempts apart', async () => {
    const attempts = Array.from({ length: 12 }, () => newId('t'));
    for (const [index, each] of attempts.entries()) await store.append(each, 0, text(`${index}`));
    for (const [index, each] of attempts.entries()) await store.append(each, `${index}`.length, text('!'));
    expect(String(await store.read(attempts[7]!, 0, 10))).toBe('7!');
    expect(String(await store.read(attempts[11]!, 0, 10))).toBe('11!');
  });

  it.each(['', '..', '../x', '/etc/passwd', 't-../../../x', 't-0'])(
    'takes %j for no attempt',
    async (name) => {
      const refused = { name: 'BlobError', code: 'BAD_NAME' };
      await expect(store.append(name, 0, text('x'))).rejects.toMatchObject(refused);
      await expect(store.length(name)).rejects.toMatchObject(refused);
      await expect(store.read(name, 0, 1)).rejects.toMatchObject(refused);
      await expect(store.remove(name)).rejects.toMatchObject(refused);
    },
  );
}

async function readAll(store: LogStore, attempt: AttemptId, atOnce: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let at = 0; ; at += pieces.at(-1)!.length) {
    const piece = await store.read(attempt, at, atOnce);
    if (piece.length === 0) return Buffer.concat(pieces);
    pieces.push(piece);
  }
}
