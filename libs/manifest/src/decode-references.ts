const PREDEFINED = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"],
]);

export type DecodeResult =
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reference: string };

/**
 * Replaces the five predefined entities and character references, once: what comes out is not looked at again,
 * so nothing can grow. Anything else after a `&` is a fault, and so is a reference to a character that XML does
 * not allow (`&#1;`, `&#xD800;`, `&#x110000;`).
 */
export function decodeReferences(text: string): DecodeResult {
  const broken: string[] = [];
  const decoded = text.replace(/&([^;&<\s]{0,32};)?/g, (reference) => {
    const character = referencedCharacter(reference.slice(1, -1));
    if (character === null) broken.push(reference);
    return character ?? '';
  });
  const [first] = broken;
  return first === undefined ? { ok: true, text: decoded } : { ok: false, reference: first };
}

function referencedCharacter(name: string): string | null {
  const number = /^#(?:(\d{1,7})|x([0-9A-Fa-f]{1,6}))$/.exec(name);
  if (number === null) return PREDEFINED.get(name) ?? null;
  const [, decimal, hexadecimal = ''] = number;
  const code = decimal === undefined ? parseInt(hexadecimal, 16) : parseInt(decimal, 10);
  return isAllowed(code) ? String.fromCodePoint(code) : null;
}

/** The characters that may also stand in the file itself. */
function isAllowed(code: number): boolean {
  if (code < 0x20) return code === 0x9 || code === 0xa || code === 0xd;
  return (
    (code <= 0x7e || code >= 0xa0) &&
    (code < 0xd800 || code > 0xdfff) &&
    code !== 0xfffe &&
    code !== 0xffff &&
    code <= 0x10ffff
  );
}
