const LONGEST_QUOTE = 80;

/**
 * A value from a manifest as a message may show it: in quotes, shortened, and without characters that
 * could move a terminal's cursor or turn its text around.
 */
export function quoteValue(value: string): string {
  const characters = Array.from(value.slice(0, LONGEST_QUOTE * 2));
  const isLong = value.length > LONGEST_QUOTE * 2 || characters.length > LONGEST_QUOTE;
  const shown = characters.slice(0, LONGEST_QUOTE).map(showCharacter).join('');
  const quote = shown.includes('"') && !shown.includes("'") ? "'" : '"';
  return `${quote}${shown}${isLong ? '…' : ''}${quote}`;
}

function showCharacter(character: string): string {
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  if (!/[\p{C}\p{Zl}\p{Zp}]/u.test(character)) return character;
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
