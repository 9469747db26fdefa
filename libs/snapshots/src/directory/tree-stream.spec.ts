import { describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { inPieces, readAll } from './testing.js';
import { decodeTree, encodeTree, type TreeStreamHead } from './tree-stream.js';

const path = fc
  .array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 40 })
  .map((bytes) => Buffer.from(bytes));
const head: fc.Arbitrary<TreeStreamHead> = fc.record({
  id: fc.string({ minLength: 1, unit: 'binary' }),
  base: fc.option(fc.uuid()),
  removed: fc.array(path),
});
const content = fc.uint8Array({ maxLength: 5000 }).map((bytes) => Buffer.from(bytes));
const pieceBytes = fc.integer({ min: 1, max: 3000 });

async function encode(what: TreeStreamHead, tar: Buffer, size?: number): Promise<Buffer> {
  return await readAll(encodeTree(what, inPieces(tar, size)));
}
async function decode(bytes: Buffer, size?: number): Promise<{ head: TreeStreamHead; tar: Buffer }> {
  const decoded = await decodeTree(inPieces(bytes, size));
  return { head: decoded.head, tar: await readAll(decoded.tar) };
}
const SAMPLE: TreeStreamHead = { id: 'of', base: 'from', removed: [Buffer.from('a'), Buffer.from('b/c')] };
const TAR = Buffer.from('content'.repeat(100));

describe('encodeTree and decodeTree', () => {
  it('give back what was sent, whatever it is and however it is cut up', async () => {
    await fc.assert(
      fc.asyncProperty(head, content, pieceBytes, pieceBytes, async (what, tar, size, otherSize) => {
        expect(await decode(await encode(what, tar, size), otherSize)).toEqual({ head: what, tar });
      }),
    );
  });

  it('give the tar as it comes', async () => {
    const { tar } = await decodeTree(inPieces(await encode(SAMPLE, TAR), 100));
    const first = await tar.next();
    expect(TAR.indexOf(first.value as Buffer)).toBe(0);
    expect((first.value as Buffer).length).toBeLessThan(TAR.length);
  });
});

describe('decodeTree', () => {
  it('refuses what was cut, wherever', async () => {
    const whole = await encode(SAMPLE, TAR);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), pieceBytes, async (length, size) => {
        await expect(decode(whole.subarray(0, length), size)).rejects.toMatchObject({ code: 'BAD_STREAM' });
      }),
    );
  });

  it('refuses what is longer than it was', async () => {
    const whole = await encode(SAMPLE, TAR);
    await expect(decode(Buffer.concat([whole, Buffer.alloc(1)]))).rejects.toMatchObject({
      code: 'BAD_STREAM',
    });
  });

  it('refuses one changed bit, wherever', async () => {
    const whole = await encode(SAMPLE, TAR);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), async (at, bit) => {
        const bent = Buffer.from(whole);
        bent[at] = (bent[at] ?? 0) ^ (1 << bit);
        await expect(decode(bent)).rejects.toMatchObject({ code: 'BAD_STREAM' });
      }),
    );
  });

  it('fails as a bad stream when the stream fails, and keeps the reason', async () => {
    const reason = new Error('the link is gone');
    async function* breaking(): AsyncGenerator<Buffer> {
      yield Buffer.from('distro');
      await Promise.reject(reason);
    }
    await expect(decodeTree(breaking())).rejects.toMatchObject({ code: 'BAD_STREAM', cause: reason });
  });

  /** With a digest that is right: who sends it means it. */
  const forge = (version: number, jsonLength: number, json: string, rest = ''): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(jsonLength);
    const magic = Buffer.from('distrofarm-tree');
    const bytes = Buffer.concat([magic, Buffer.from([version]), length, Buffer.from(json + rest)]);
    return Buffer.concat([bytes, createHash('sha256').update(bytes).digest()]);
  };
  it.each([
    ['{"id":"a","base":null,"removedBytes":0}', '', null],
    ['', '', 'the beginning'],
    ['[]', '', 'the beginning'],
    ['null', '', 'the beginning'],
    ['{"id":1,"base":null,"removedBytes":0}', '', 'the beginning'],
    ['{"id":"a","base":{},"removedBytes":0}', '', 'the beginning'],
    ['{"id":"a","removedBytes":0}', '', 'the beginning'],
    ['{"id":"a","base":null,"removedBytes":-1}', '', 'the beginning'],
    ['{"id":"a","base":null,"removedBytes":1e15}', '', 'the beginning'],
    ['{"id":"a","base":null,"removedBytes":0.5}', 'a', 'the beginning'],
    ['{"id":"a","base":null,"removedBytes":2}', 'ab', 'the beginning'],
  ])('looks at the beginning: %s %j', async (json, rest, problem) => {
    const decoding = decode(forge(1, json.length, json, rest));
    if (problem === null) expect((await decoding).head).toEqual({ id: 'a', base: null, removed: [] });
    else await expect(decoding).rejects.toMatchObject({ message: expect.stringContaining(problem) });
  });

  it('refuses another version, and a beginning without end', async () => {
    const json = '{"id":"a","base":null,"removedBytes":0}';
    await expect(decode(forge(2, json.length, json))).rejects.toMatchObject({
      code: 'BAD_STREAM',
      message: expect.stringContaining('version 2'),
    });
    await expect(decode(forge(1, 0xffffffff, json))).rejects.toMatchObject({ code: 'BAD_STREAM' });
  });
});
