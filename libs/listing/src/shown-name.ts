/** A character of well-formed UTF-8 in latin1, or a single byte (RFC 3629, section 4). */
const CHARACTER =
  /[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g;
const PLAIN = /^[\x20-\x5b\x5d-\x7e]*$/;
/** Controls, what turns the direction of text or has no shape, what is not assigned; line and paragraph separators. */
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}]/u;

/**
 * A file's name for people, of its bytes as latin1: different for different bytes, and harmless wherever text is shown. Bytes that are no UTF-8 become `\xff`, characters that one would not see as
 * they are `\u{202e}`, and the backslash is doubled.
 */
export function shownName(latin1: string): string {
  if (PLAIN.test(latin1)) return latin1;
  return latin1.replace(CHARACTER, (bytes) => {
    const [first = 0] = Buffer.from(bytes, 'latin1');
    if (bytes.length === 1 && first >= 0x80) return `\\x${first.toString(16)}`;
    const character = Buffer.from(bytes, 'latin1').toString('utf8');
    if (character === '\\') return '\\\\';
    return HIDDEN.test(character) ? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}` : character;
  });
}
