/**
 * Characters that change how the text around them is read without being seen: bidirectional marks, embeddings, overrides and isolates, joiners and
 * letters of no width, tags, the byte order mark, and controls beyond ASCII. Names, reasons and logs come from manifests, scripts and other users.
 */
const UNSEEN =
  /[\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|\udb40[\udc00-\udfff]/g;
const CONTROLS = /[\u0000-\u0008\u000a-\u001f]/g;
/** In JSON, where a backslash stands in texts only. */
const ESCAPES = /\\(?:u([0-9a-fA-F]{4})|.)/g;

/** The text with what is not seen written out: `⟨U+202E⟩`. */
export function showUnseen(text: string): string {
  return text.replace(UNSEEN, named);
}

/** That, and control characters of ASCII as their pictures: `␛` for escape. Tabs stay. */
export function showControls(text: string): string {
  return showUnseen(text).replace(CONTROLS, pictured);
}

/** What JSON says, with the same done to all texts in it; line feeds stay, too. Throws what JSON.parse throws. */
export function parseShown(json: string): unknown {
  const shown = showUnseen(json).replace(ESCAPES, (escape: string, hex: string | undefined) => {
    const character = hex === undefined ? (MEANT[escape] ?? null) : String.fromCharCode(parseInt(hex, 16));
    if (character === null || character === '\n') return escape;
    const seen = showControls(character);
    return seen === character ? escape : seen;
  });
  return JSON.parse(shown);
}

const MEANT: Readonly<Record<string, string>> = { '\\b': '\b', '\\f': '\f', '\\r': '\r' };

function pictured(character: string): string {
  return String.fromCharCode(0x2400 + character.charCodeAt(0));
}

function named(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code === 0x7f ? '\u2421' : `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
}
