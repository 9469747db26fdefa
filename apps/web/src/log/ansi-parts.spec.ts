import { describe, expect, it } from '@jest/globals';
import { ansiParts } from './ansi-parts.js';

const shown = (line: string) =>
  ansiParts(line).map(({ text, looks }) => (looks === '' ? text : `[${looks}]${text}`));

describe('a line of a log', () => {
  it.each([
    ['plain <script>alert(1)</script>', ['plain <script>alert(1)</script>']],
    ['a\u001b[31mred\u001b[0mb', ['a', '[fg-red]red', 'b']],
    ['\u001b[1;92mbold\u001b[m', ['[fg-bright-green bold]bold']],
    ['\u001b[44mback', ['[bg-blue]back']],
    ['\u001b[7mturned', ['[fg-black bg-white]turned']],
    ['\u001b[8mhidden', ['hidden']],
    ['\u001b[2J\u001b[1;1Hover', ['over']],
    ['\u001b]0;title\u0007rest', ['␛]0;title␇rest']],
    ['\u001b]8;;https://evil.example\u001b\\link', ['␛]8;;https://evil.example␛\\link']],
    ['10%\r20%', ['10%␍20%']],
    ['exe\u202egpj', ['exe⟨U+202E⟩gpj']],
  ])('%j is shown as %j', (line, parts) => {
    expect(shown(line)).toEqual(parts);
  });

  it('keeps colours beyond the sixteen as numbers only', () => {
    expect(ansiParts('\u001b[38;2;1;2;3mx')[0]).toMatchObject({ color: 'rgb(1, 2, 3)' });
    expect(ansiParts('\u001b[38;5;196mx')[0]).toMatchObject({ color: 'rgb(255, 0, 0)' });
  });

  it('is cut where it is very long, and says so', () => {
    const parts = ansiParts('x'.repeat(1_000_000));
    expect(parts.map(({ text }) => text.length)).toEqual([2000, ' … 998000 more characters'.length]);
  });
});
