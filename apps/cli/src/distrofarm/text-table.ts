/**
 * Rows with their columns under each other, two blanks between them; the last column is as wide as it is. Colours do not count as width.
 */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const all = head.length === 0 ? rows : [head, ...rows];
  const widths = all.reduce<number[]>((sofar, row) => {
    return row.map((cell, column) => Math.max(sofar[column] ?? 0, shownWidth(cell)));
  }, []);
  return all.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - shownWidth(cell)))
      .join('  ')
      .trimEnd(),
  );
}

const COLOUR = /\u001b\[[\d;]*m/g;
/** Scripts whose characters take two cells; the rest is counted as one. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\uff01-\uff60]/u;
const ZERO = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** Cells of a terminal that the text takes. */
export function shownWidth(text: string): number {
  let width = 0;
  for (const character of text.replace(COLOUR, '')) width += cells(character);
  return width;
}

/** At most `width` cells of a text without colours; what is cut off shows as `…`. */
export function cut(text: string, width: number): string {
  if (shownWidth(text) <= width) return text;
  let taken = '';
  let room = width - 1;
  for (const character of text) {
    room -= cells(character);
    if (room < 0) break;
    taken += character;
  }
  return width < 1 ? '' : `${taken}…`;
}

/** The same with the middle cut out: for names of which both ends tell something. */
export function cutMiddle(text: string, width: number): string {
  if (shownWidth(text) <= width || width < 4) return cut(text, width);
  const room = Math.floor((width - 1) / 2);
  const end = cut(Array.from(text).slice(-room).join(''), room);
  return `${cut(text, width - shownWidth(end))}${end}`;
}

/** Exactly `width` cells. */
export function fit(text: string, width: number): string {
  const shown = cut(text, width);
  return shown + ' '.repeat(Math.max(0, width - shownWidth(shown)));
}

function cells(character: string): number {
  if (character < '\u0300') return 1;
  if (ZERO.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
