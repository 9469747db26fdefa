import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { packList } from './packed-list.js';
import { BEGIN_BYTES, readRestBegin, readStreamBegin } from './stream-begin.js';

interface Parts {
  readonly type?: number;
  readonly listBytes?: number;
  readonly magic?: bigint;
  readonly version?: bigint;
  readonly kind?: number;
  readonly flags?: number;
  readonly to?: bigint;
  readonly from?: bigint;
}

function record(
  {
    type = 0,
    listBytes = 0,
    magic = 0x2f5bacbacn,
    version = 1n,
    kind = 2,
    flags = 0,
    to = 7n,
    from = 0n,
  }: Parts,
  little = true,
): Buffer {
  const bytes = Buffer.alloc(BEGIN_BYTES);
  const int32 = (value: number, at: number): unknown =>
    little ? bytes.writeUInt32LE(value, at) : bytes.writeUInt32BE(value, at);
  const int64 = (value: bigint, at: number): unknown =>
    little ? bytes.writeBigUInt64LE(value, at) : bytes.writeBigUInt64BE(value, at);
  int32(type, 0);
  int32(listBytes, 4);
  int64(magic, 8);
  int64(version, 16);
  int32(kind, 32);
  int32(flags, 36);
  int64(to, 40);
  int64(from, 48);
  return bytes;
}

describe('the beginning of a ZFS stream', () => {
  it.each([true, false])('says what it is of, little-endian: %s', (little) => {
    const guid = 17_140_489_801_188_516_668n;
    expect(readStreamBegin(record({ to: guid, from: 3n, flags: 1 }, little))).toEqual({
      toGuid: String(guid),
      fromGuid: '3',
      isClone: true,
      isRest: false,
      listBytes: 0,
    });
    const parts = { toGuid: '7', fromGuid: null, isClone: false };
    expect(readStreamBegin(record({ version: 1n | (0x10000n << 2n) }, little))).toEqual({
      ...parts,
      isRest: false,
      listBytes: 0,
    });
    expect(readStreamBegin(record({ version: 1n | (1n << 22n), listBytes: 96 }, little))).toEqual({
      ...parts,
      isRest: true,
      listBytes: 96,
    });
  });

  it.each<[string, Parts]>([
    ['several snapshots or properties', { version: 2n }],
    ['encrypted data', { version: 1n | (1n << 26n) }],
    ['a volume', { kind: 3 }],
    ['the middle of a stream', { type: 1 }],
    ['something else', { magic: 7n }],
    ['a list that would fill the memory', { listBytes: 2 ** 31 }],
  ])('is none for %s', (_, parts) => {
    expect(readStreamBegin(record(parts))).toBeNull();
  });

  it('says of a rest where it goes on', () => {
    const at = [
      ['resume_object', 8n],
      ['resume_offset', 131_072n],
    ] as const;
    expect(readRestBegin(packList(new Map(at)))).toEqual({ object: 8n, offset: 131_072n });
    expect(readRestBegin(packList(new Map(at.slice(1))))).toBeNull();
    expect(readRestBegin(packList(new Map<string, bigint | string>([...at, ['props', 'x']])))).toBeNull();
    expect(readRestBegin(Buffer.alloc(0))).toBeNull();
  });

  it('takes whatever bytes come', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const begin = readStreamBegin(Buffer.from(bytes));
        expect(begin === null || bytes.length >= BEGIN_BYTES).toBe(true);
      }),
    );
  });
});
