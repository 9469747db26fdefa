import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { packList, unpackList, type PackedList } from './packed-list.js';

describe('a packed list of OpenZFS', () => {
  it('is read as it was written', () => {
    const value = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), text());
    fc.assert(
      fc.property(fc.dictionary(text(1), value), (pairs) => {
        const list: PackedList = new Map(Object.entries(pairs));
        expect(unpackList(packList(list))).toEqual(list);
      }),
    );
  });

  it('is none where it is cut, too long, of the other byte order, or has a name twice', () => {
    const packed = packList(
      new Map<string, bigint | string>([
        ['a', 1n],
        ['text', 'x'],
      ]),
    );
    for (let bytes = 0; bytes < packed.length; bytes += 1)
      expect(unpackList(packed.subarray(0, bytes))).toBeNull();
    expect(unpackList(Buffer.concat([packed, Buffer.alloc(4)]))).toBeNull();
    const swapped = Buffer.from(packed);
    swapped[1] = 0;
    expect(unpackList(swapped)).toBeNull();
    const one = packList(new Map([['a', 1n]])).subarray(12, -4);
    expect(unpackList(Buffer.concat([packed.subarray(0, 12), one, one, Buffer.alloc(4)]))).toBeNull();
  });

  it('takes whatever bytes come', () => {
    const packed = packList(
      new Map<string, bigint | string>([
        ['object', 8n],
        ['toname', 'tank/a@b'],
      ]),
    );
    fc.assert(
      fc.property(
        fc.nat(packed.length - 1),
        fc.nat(255),
        fc.uint8Array({ maxLength: 20 }),
        (at, byte, more) => {
          const bent = Buffer.concat([packed, more]);
          bent[at] = byte;
          const list = unpackList(bent);
          expect(list === null || list.size <= 2).toBe(true);
        },
      ),
    );
  });
});

function text(minLength = 0): fc.Arbitrary<string> {
  return fc.stringMatching(/^[a-z0-9@/_.:-]*$/, { maxLength: 60 }).filter((each) => each.length >= minLength);
}
