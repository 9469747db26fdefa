/**
 * Characters that change how the text around them is read without being seen: bidirectional marks, embeddings, overrides and isolates, joiners of
 * zero width, and the byte order mark. Names, reasons and logs come from manifests, scripts and other users.
 */
const UNSEEN = /[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;

/** The text with what is not seen written out: `⟨U+202E⟩`. */
export function showUnseen(text: string): string {
  return text.replace(UNSEEN, named);
}

/** That, and control characters: those of ASCII as their pictures, `␛` for escape, the others written out. Tabs stay. */
export function showControls(text: string): string {
  return showUnseen(text).replace(CONTROLS, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? '\u2421' : named(character);
  });
}

function named(character: string): string {
  return `⟨U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`;
}
