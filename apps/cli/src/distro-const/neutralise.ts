/**
 * Makes a script's text harmless on a terminal: control characters (escape sequences among them) and bidirectional overrides are shown,
 * not obeyed. Tabs stay. The log keeps the bytes as they were.
 */
export function neutralise(text: string): string {
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\x${code.toString(16).padStart(2, '0')}`;
  });
}
