import { describe, expect, it } from '@jest/globals';
import type { Checkpoint } from '#libs/plan';
import { Readable } from 'node:stream';
import { packList } from './packed-list.js';
import { readBegin } from './received-stream.js';
import { BEGIN_BYTES } from './stream-begin.js';

const RESUMING = 1n << 22n;
const checkpoint: Checkpoint = { id: '7', workspace: 'main', label: 'a', facts: {} };
const position = { object: 8n, offset: 131_072n, bytes: 1000n };

function stream(version: bigint, list: Buffer, toGuid = 7n, pieceBytes = 100): Readable {
  const begin = Buffer.alloc(BEGIN_BYTES);
  begin.writeInt32LE(list.length, 4);
  begin.writeBigUInt64LE(0x2f5bacbacn, 8);
  begin.writeBigUInt64LE(1n | version, 16);
  begin.writeInt32LE(2, 32);
  begin.writeBigUInt64LE(toGuid, 40);
  const bytes = Buffer.concat([begin, list, Buffer.from('the rest of it')]);
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, at) =>
    bytes.subarray(at * pieceBytes, (at + 1) * pieceBytes),
  );
  return Readable.from(pieces);
}

const listOf = (object: bigint, offset: bigint): Buffer =>
  packList(
    new Map([
      ['resume_object', object],
      ['resume_offset', offset],
    ]),
  );

describe('the rest of a stream', () => {
  it.each([1, 100, 312, 10_000])('is passed on as it came, in pieces of %d', async (pieceBytes) => {
    const list = listOf(8n, 131_072n);
    const begun = await readBegin(stream(RESUMING, list, 7n, pieceBytes), {
      ...{ checkpoint, base: null, position },
    });
    const come: Buffer[] = [];
    for await (const piece of begun) come.push(piece);
    const bytes = Buffer.concat(come);
    expect(bytes.length).toBe(BEGIN_BYTES + list.length + 14);
    expect(bytes.subarray(-14).toString()).toBe('the rest of it');
  });

  it.each<[string, Readable, typeof position | null]>([
    ['goes on elsewhere', stream(RESUMING, listOf(8n, 0n)), position],
    ['says more than where', stream(RESUMING, packList(new Map([['mountpoint', '/etc']]))), position],
    ['is cut in its list', stream(RESUMING, listOf(8n, 131_072n).subarray(0, 20)), position],
    ['is whole', stream(0n, Buffer.alloc(0)), position],
    ['is of something else', stream(RESUMING, listOf(8n, 131_072n), 9n), position],
    ['was not asked for', stream(RESUMING, listOf(8n, 131_072n)), null],
  ])('is refused when it %s', async (_, come, at) => {
    await expect(readBegin(come, { checkpoint, base: null, position: at })).rejects.toMatchObject({
      code: 'BAD_STREAM',
    });
  });
});
