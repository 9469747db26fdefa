import type { Position } from './draft-element.js';
import type { XmlFault } from './xml-fault.js';

/** The stock manifests have 10 to 40 KiB and fewer than 500 elements. */
export const LARGEST_MANIFEST_BYTES = 1024 * 1024;
export const MOST_ELEMENTS = 20_000;

/** XML 1.0 `Char`, less DEL and the C1 controls, with which a terminal can be told things. */
const FORBIDDEN_CHARACTER = /[^\t\n\r\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

/**
 * Line ends as XML defines them, and no byte order mark. A lone CR in a Windows file would else shift all lines.
 */
export function normalizeXmlText(text: string): string {
  return text.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n');
}

/**
 * Refuses, before any parser sees it, what only an attack or a mistake puts into a manifest: entities and
 * document types (the ways of XML to grow or to read other files), and sizes beyond all use. Expects a
 * normalized text; `null` when there is nothing to say against it.
 */
export function findXmlFault(text: string): XmlFault | null {
  return findOversize(text) ?? findForbiddenCharacter(text) ?? findForbiddenMarkup(maskInert(text));
}

/**
 * The text with comments and CDATA sections blanked, at the same offsets, so that looking for markup finds only
 * what is markup. One without end stays, up to the end of the text: searching on behind it would take time in
 * the square of the length.
 */
export function maskInert(text: string): string {
  return text.replace(/<!--[^]*?(?:-->|$)|<!\[CDATA\[[^]*?(?:\]\]>|$)/g, (inert) =>
    /(-->|\]\]>)$/.test(inert.slice(-3)) ? ' '.repeat(inert.length) : inert,
  );
}

export function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: offset - lineStart + 1 };
}

/** Of the text as UTF-8. */
export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

function findOversize(text: string): XmlFault | null {
  // UTF-16 units first: counting bytes would itself take long for a huge text.
  const bytes = text.length > LARGEST_MANIFEST_BYTES ? text.length : byteLength(text);
  if (bytes <= LARGEST_MANIFEST_BYTES) return null;
  return { offset: 0, found: `at least ${bytes} bytes`, expected: `at most ${LARGEST_MANIFEST_BYTES}` };
}

function findForbiddenCharacter(text: string): XmlFault | null {
  const match = FORBIDDEN_CHARACTER.exec(text);
  if (match === null) return null;
  const code = (match[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return {
    offset: match.index,
    found: `the character U+${code}`,
    expected: 'UTF-8 text without control characters',
  };
}

function findForbiddenMarkup(masked: string): XmlFault | null {
  return findDeclaration(masked) ?? findInstruction(masked) ?? findCrowd(masked);
}

function findDeclaration(masked: string): XmlFault | null {
  const match = /<![A-Za-z[-]*/.exec(masked);
  if (match === null) return null;
  if (match[0].startsWith('<!--')) {
    return { offset: match.index, found: 'a comment without end', expected: '"-->" after it' };
  }
  if (match[0].startsWith('<![CDATA[')) {
    return { offset: match.index, found: 'a CDATA section without end', expected: '"]]>" after it' };
  }
  return {
    offset: match.index,
    found: `"${match[0]}"`,
    expected: 'no document type, entity or other declaration',
  };
}

function findInstruction(masked: string): XmlFault | null {
  const declaration = /^<\?xml(\s[^?<>]*)?\?>/.exec(masked)?.[0] ?? '';
  const encoding = /\sencoding\s*=\s*["']([^"']*)["']/.exec(declaration)?.[1];
  if (encoding !== undefined && !/^(utf-?8|us-ascii)$/i.test(encoding)) {
    return { offset: 0, found: `the encoding "${encoding}"`, expected: 'UTF-8' };
  }
  const offset = masked.indexOf('<?', declaration.length);
  if (offset === -1) return null;
  return {
    offset,
    found: 'a processing instruction',
    expected: 'none but the XML declaration at the very start',
  };
}

function findCrowd(masked: string): XmlFault | null {
  let count = 0;
  for (let at = masked.indexOf('<'); at !== -1; at = masked.indexOf('<', at + 1)) {
    if (masked[at + 1] !== '/') count += 1;
    if (count > MOST_ELEMENTS) {
      return { offset: at, found: 'one element more', expected: `at most ${MOST_ELEMENTS} elements` };
    }
  }
  return null;
}
