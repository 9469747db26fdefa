import { describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { IncomingCheckpoint } from './incoming-checkpoint.js';

function message(preface: string, rest: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(preface));
  return Buffer.concat([length, Buffer.from(preface + rest)]);
}

const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();
const PREFACE = '{"facts":{"build":"g1"}}';

function read(stream: Buffer, { digest = sha256(stream), maxBytes = 1e6, pieces = 3 } = {}) {
  const bytes = Buffer.concat([stream, digest]);
  const size = Math.max(1, Math.ceil(bytes.length / pieces));
  const slices = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
    bytes.subarray(n * size, (n + 1) * size),
  );
  const incoming = new IncomingCheckpoint(maxBytes);
  Readable.from(slices).pipe(incoming);
  return incoming;
}

describe('what another agent sends', () => {
  it.each([1, 2, 3, 40, 1000])('is the preface, then the stream, in %d pieces', async (pieces) => {
    const incoming = read(message(PREFACE, 'the stream'), { pieces });
    expect(await incoming.preface).toEqual({ facts: { build: 'g1' }, bytes: null });
    expect(await text(incoming)).toBe('the stream');
    expect(incoming.bytes).toBe(4 + PREFACE.length + 10 + 32);
  });

  it('ends with an error when its digest is another', async () => {
    const incoming = read(message(PREFACE, 'the stream'), { digest: Buffer.alloc(32, 0xff) });
    await expect(text(incoming)).rejects.toThrow(/has the digest [0-9a-f]{64}, and ends with ffff/);
  });

  it('ends with an error when it has no digest, since then it was cut', async () => {
    const incoming = read(message(PREFACE, 'the stream'.repeat(10)), { digest: Buffer.alloc(0) });
    await expect(text(incoming)).rejects.toThrow(/damaged, or is cut/);
  });

  it('ends with an error when it is larger than it may be', async () => {
    const incoming = read(message(PREFACE, 'x'.repeat(1000)), { maxBytes: 500 });
    await expect(text(incoming)).rejects.toThrow(/more than the 500 bytes/);
  });

  it.each([
    ['nothing', Buffer.alloc(0), /nothing came|broke off/],
    ['a preface that is cut', message(PREFACE, '').subarray(0, 10), /nothing came|broke off/],
    [
      'an endless preface',
      Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.alloc(100)]),
      /no checkpoint|broke off/,
    ],
    ['a preface that is no JSON', message('{"facts":', 'x'), /no checkpoint|broke off/],
    ['a preface of another form', message('{"facts":[]}', 'x'), /no checkpoint|broke off/],
  ])('ends with an error when it is %s', async (_, bytes, reason) => {
    const incoming = read(bytes);
    const failed = text(incoming);
    await expect(incoming.preface).rejects.toThrow(reason);
    await expect(failed).rejects.toThrow();
  });
});
