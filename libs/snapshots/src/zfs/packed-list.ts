/** Numbers have 64 bits, without a sign. */
export type PackedList = ReadonlyMap<string, bigint | string>;

/**
 * A name-value list as OpenZFS packs it on little-endian hosts (NV_ENCODE_NATIVE of module/nvpair/nvpair.c): a header, the pairs, four bytes of zero. Each pair has its size, the
 * size of its name, how many values and their type, then the name and the value, each filled up to eight bytes.
 */
const HEADER = Buffer.from([0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
const PAIR_HEAD_BYTES = 16;
const TYPE_NUMBER = 8;
const TYPE_TEXT = 9;

export function packList(list: PackedList): Buffer {
  return Buffer.concat([HEADER, ...[...list].map(([name, value]) => packPair(name, value)), Buffer.alloc(4)]);
}

function packPair(name: string, value: bigint | string): Buffer {
  const nameBytes = Buffer.from(`${name}\0`);
  const valueAt = padded(PAIR_HEAD_BYTES + nameBytes.length);
  const text = Buffer.from(typeof value === 'string' ? `${value}\0` : '');
  const pair = Buffer.alloc(valueAt + padded(typeof value === 'string' ? text.length : 8));
  pair.writeInt32LE(pair.length, 0);
  pair.writeInt16LE(nameBytes.length, 4);
  pair.writeInt32LE(1, 8);
  pair.writeInt32LE(typeof value === 'string' ? TYPE_TEXT : TYPE_NUMBER, 12);
  nameBytes.copy(pair, PAIR_HEAD_BYTES);
  if (typeof value === 'string') text.copy(pair, valueAt);
  else pair.writeBigUInt64LE(value, valueAt);
  return pair;
}

/** `null` for anything else, also for a list with values of other types, or with a name twice. Takes whatever bytes come. */
export function unpackList(bytes: Buffer): PackedList | null {
  if (!bytes.subarray(0, HEADER.length).equals(HEADER)) return null;
  const list = new Map<string, bigint | string>();
  for (let at = HEADER.length; at + 4 <= bytes.length;) {
    const size = bytes.readInt32LE(at);
    if (size === 0) return at + 4 === bytes.length ? list : null;
    if (size < PAIR_HEAD_BYTES || at + size > bytes.length) return null;
    const pair = unpackPair(bytes.subarray(at, at + size));
    if (pair === null || list.has(pair[0])) return null;
    list.set(...pair);
    at += size;
  }
  return null;
}

function unpackPair(pair: Buffer): readonly [name: string, value: bigint | string] | null {
  const nameBytes = pair.readInt16LE(4);
  const valueAt = padded(PAIR_HEAD_BYTES + nameBytes);
  if (nameBytes < 2 || valueAt > pair.length || pair.readInt32LE(8) !== 1) return null;
  const name = unpackText(pair.subarray(PAIR_HEAD_BYTES, PAIR_HEAD_BYTES + nameBytes));
  const bytes = pair.subarray(valueAt);
  const type = pair.readInt32LE(12);
  const number = type === TYPE_NUMBER && bytes.length === 8 ? bytes.readBigUInt64LE() : null;
  const value = type === TYPE_TEXT ? unpackText(bytes) : number;
  return name === null || value === null ? null : [name, value];
}

/** Up to its zero. */
function unpackText(bytes: Buffer): string | null {
  const end = bytes.indexOf(0);
  return end < 0 ? null : bytes.toString('utf8', 0, end);
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}
