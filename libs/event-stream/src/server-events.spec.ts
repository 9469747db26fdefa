import { describe, expect, it } from '@jest/globals';
import { ServerEventParser } from './server-events.js';

const read = (...chunks: readonly string[]) => {
  const parser = new ServerEventParser();
  return chunks.flatMap((chunk) => [...parser.push(chunk)]);
};

describe('ServerEventParser', () => {
  const cases = [
    ['an event with all fields', 'id: 7\nevent: wake\ndata: x\n\n', [{ id: '7', event: 'wake', data: 'x' }]],
    ['several lines of data', 'data: a\ndata:b\ndata\n\n', [{ id: null, event: 'message', data: 'a\nb\n' }]],
    ['comments', ': hello\n\n:\ndata: x\n: y\n\n', [{ id: null, event: 'message', data: 'x' }]],
    ['an event with a name only', 'event: wake\n\n', [{ id: null, event: 'wake', data: '' }]],
    ['nothing of an event that is not ended', 'data: x\n', []],
    ['one space after the colon is no content', 'data:  x\n\n', [{ id: null, event: 'message', data: ' x' }]],
    ['unknown fields as nothing', 'retry: 3\nfoo: bar\n\n', []],
    ['a byte order mark as nothing', '\uFEFFdata: x\n\n', [{ id: null, event: 'message', data: 'x' }]],
    ['no id with a NUL', 'id: a\0b\ndata: x\n\n', [{ id: null, event: 'message', data: 'x' }]],
  ] as const;
  for (const [what, text, events] of cases) {
    it(`reads ${what}`, () => expect(read(text)).toEqual(events));
  }

  it('keeps the id for the events after it', () => {
    expect(read('id: 7\ndata: a\n\ndata: b\n\n').map(({ id }) => id)).toEqual(['7', '7']);
  });

  it('reads the same whatever the line ends and the chunks', () => {
    const text = 'id: 1\nevent: e\ndata: a\ndata: b\n\n: c\n\ndata: d\n\n';
    const expected = read(text);
    expect(expected).toHaveLength(2);
    for (const end of ['\n', '\r\n', '\r']) {
      const ended = text.replaceAll('\n', end);
      // A lone CR at the very end may have a LF to come.
      expect(read(...Array.from(ended + (end === '\r' ? ':' : '')))).toEqual(expected);
    }
  });

  it('refuses an event of any size', () => {
    const line = `data: ${'x'.repeat(1024 * 1024)}\n`;
    expect(() => read(...Array.from({ length: 9 }, () => line))).toThrow(RangeError);
    expect(() => read(...Array.from({ length: 9 }, () => 'x'.repeat(1024 * 1024)))).toThrow(RangeError);
  });
});
