import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { deflateSync } from 'node:zlib';
import { packList } from './packed-list.js';
import { formatPosition, formatResumeToken, parsePosition, parseResumeToken } from './resume-token.js';

const TOKEN = {
  ...{ object: 8n, offset: 1_310_720n, bytes: 1_402_552n },
  ...{ toGuid: '17140489801188516668', fromGuid: '3', toName: 'tank/farm/b-1.v/main@.step_a' },
};
const LIST: readonly (readonly [string, bigint | string])[] = [
  ['object', 8n],
  ['offset', 1n],
  ['bytes', 2n],
  ['toguid', 3n],
  ['toname', 'tank/a@b'],
];

function tokenOf(packed: Buffer, length: number): string {
  const deflated = deflateSync(packed);
  let sum = 0;
  for (let at = 0; at + 4 <= deflated.length; at += 4) sum += deflated.readUInt32LE(at);
  return `1-${sum.toString(16)}-${length.toString(16)}-${deflated.toString('hex')}`;
}

describe('a resume token', () => {
  it('is read as it was written', () => {
    expect(parseResumeToken(formatResumeToken(TOKEN))).toEqual(TOKEN);
    const whole = { ...TOKEN, fromGuid: null };
    expect(parseResumeToken(formatResumeToken(whole))).toEqual(whole);
  });

  it('is none when it is damaged, or of another version', () => {
    const token = formatResumeToken(TOKEN);
    const at = token.length - 20;
    const bent = `${token.slice(0, at)}${token[at] === '0' ? '1' : '0'}${token.slice(at + 1)}`;
    for (const text of ['', '-', token.slice(0, -2), bent, token.replace('1-', '2-'), `${token} `])
      expect(parseResumeToken(text)).toBeNull();
  });

  it.each<[string, readonly (readonly [string, bigint | string])[]]>([
    ['lacks something', LIST.slice(1)],
    ['is of a stream that we do not send', [...LIST, ['rawok', 1n]]],
    ['has text for a number', [...LIST.slice(1), ['object', '8']]],
  ])('is none when it %s', (_, pairs) => {
    const packed = packList(new Map(pairs));
    expect(parseResumeToken(tokenOf(packList(new Map(LIST)), packList(new Map(LIST)).length))).not.toBeNull();
    expect(parseResumeToken(tokenOf(packed, packed.length))).toBeNull();
  });

  it('unfolds to no more than it says', () => {
    expect(parseResumeToken(tokenOf(Buffer.alloc(10_000_000), 100))).toBeNull();
    const packed = packList(new Map(LIST));
    expect(parseResumeToken(tokenOf(packed, packed.length + 8))).toBeNull();
  });

  it('takes whatever text comes', () => {
    fc.assert(fc.property(fc.string(), (text) => expect(parseResumeToken(text)).toBeNull()));
  });
});

describe('a position', () => {
  it('is read as it was written', () => {
    const number = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(number, number, number, (object, offset, bytes) => {
        expect(parsePosition(formatPosition({ object, offset, bytes }))).toEqual({ object, offset, bytes });
      }),
    );
  });

  it.each(['', '1', '1.2', '1.2.3.4', '-1.2.3', '01.2.3', '1.2.3 ', '0x1.2.3', `${2n ** 64n}.0.0`, '1..3'])(
    'is none: "%s"',
    (text) => expect(parsePosition(text)).toBeNull(),
  );
});
