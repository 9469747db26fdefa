import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { decodeReferences } from './decode-references.js';
import type { DraftElement, Position } from './draft-element.js';
import { isQuotedList } from './queryable.js';
import {
  isDeclaration,
  LONGEST_NAME,
  resolveName,
  withDeclarations,
  type Scope,
  type WrittenAttribute,
} from './resolve-name.js';
import { fail, XmlFaultError, type XmlFault } from './xml-fault.js';
import { findXmlFault, maskInert, normalizeXmlText, positionAt } from './xml-guard.js';

export type ReadResult =
  | { readonly ok: true; readonly root: DraftElement }
  | { readonly ok: false; readonly position: Position; readonly found: string; readonly expected: string };

export const DEEPEST_ELEMENT = 64;
const MOST_ATTRIBUTES = 64;

/**
 * Reads well-formed XML into elements; stops at the first fault, as all after it would be guesswork.
 *
 * @param includedFrom what the elements keep as theirs
 */
export function readXml(input: string, includedFrom: string | null = null): ReadResult {
  const text = normalizeXmlText(input);
  try {
    const fault = findXmlFault(text);
    if (fault !== null) throw new XmlFaultError(fault);
    validate(text);
    return { ok: true, root: readRoot(text, includedFrom) };
  } catch (error) {
    const { offset, found, expected } = asFault(error);
    return { ok: false, position: positionAt(text, offset), found, expected };
  }
}

/** The parser throws plain errors without a place; the validator in front of it leaves it little reason to. */
function asFault(error: unknown): XmlFault {
  if (error instanceof XmlFaultError) return error.fault;
  const message = error instanceof Error ? error.message : String(error);
  return { offset: 0, found: notWellFormed(message), expected: 'well-formed XML' };
}

function notWellFormed(message: string): string {
  return `XML that is not well-formed (${message.slice(0, 160).replace(/\.$/, '')})`;
}

/** The parser accepts much that is not XML, so the validator decides. */
function validate(text: string): void {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- its successor is a package of its own, for the same code
  const verdict = XMLValidator.validate(text);
  if (verdict === true) return;
  const { line, col, msg } = verdict.err;
  fail(offsetOf(text, line, col), notWellFormed(msg), 'well-formed XML');
}

function offsetOf(text: string, line: number, column: number): number {
  let offset = 0;
  for (let at = 1; at < line; at += 1) offset = text.indexOf('\n', offset) + 1;
  return offset + Math.max(0, (column || 1) - 1);
}

/**
 * Marks element names, so that none is ever an object key such as `__proto__` or `constructor`. Applied twice by
 * the parser to empty elements, hence the test.
 */
const ELEMENT_MARK = '<';
const ATTRIBUTE_MARK = '@';
const TEXT = '#text';
const CDATA = '#cdata';

const parser = new XMLParser({
  preserveOrder: true,
  captureMetaData: true,
  ignoreAttributes: false,
  attributeNamePrefix: ATTRIBUTE_MARK,
  textNodeName: TEXT,
  cdataPropName: CDATA,
  transformTagName: (name) => (name.startsWith(ELEMENT_MARK) ? name : ELEMENT_MARK + name),
  // References are decoded by us, see decodeReferences.
  processEntities: false,
  htmlEntities: false,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  jPath: false,
  // Ours is lower and knows the line; this one bounds the recursion.
  maxNestedTags: 4 * DEEPEST_ELEMENT,
});
const META = XMLParser.getMetaDataSymbol() as symbol;

/** One entry of the parser's ordered output. */
type Entry = Readonly<Record<string | symbol, unknown>>;

function readRoot(text: string, includedFrom: string | null): DraftElement {
  const entries = parser.parse(text) as readonly Entry[];
  const roots = entries.filter((entry) => elementName(entry) !== null);
  const [root, second] = roots;
  if (root === undefined) fail(0, 'no element', 'a manifest');
  if (second !== undefined) fail(startOf(second), 'a second root element', 'one root element');
  const masked = maskInert(text);
  const tail = masked.slice(endOf(root));
  if (tail.trim() !== '') {
    fail(text.length - tail.trimStart().length, 'text after the root element', 'nothing');
  }
  return new TreeReader(text, includedFrom).element(root, 1, new Map());
}

class TreeReader {
  private readonly lineStarts: number[] = [0];

  constructor(
    private readonly text: string,
    private readonly includedFrom: string | null,
  ) {
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) {
      this.lineStarts.push(at + 1);
    }
  }

  element(entry: Entry, depth: number, outerScope: Scope): DraftElement {
    const offset = startOf(entry);
    const rawName = elementName(entry) ?? '';
    if (depth > DEEPEST_ELEMENT) fail(offset, 'one level more', `at most ${DEEPEST_ELEMENT} levels`);
    const written = this.attributes(entry, offset);
    const scope = withDeclarations(outerScope, written);
    const name = resolveName(rawName, scope, true, offset);
    const position = this.position(offset);
    const contents = entry[ELEMENT_MARK + rawName] as readonly Entry[];
    const element: DraftElement = {
      name,
      attributes: new Map(),
      children: contents
        .filter((child) => elementName(child) !== null)
        .map((child) => this.element(child, depth + 1, scope)),
      text: elementText(name, this.rawText(contents, offset)),
      line: position.line,
      column: position.column,
      includedFrom: this.includedFrom,
      attributePositions: new Map(),
    };
    this.addAttributes(element, written, scope);
    return element;
  }

  private addAttributes(element: DraftElement, written: readonly WrittenAttribute[], scope: Scope): void {
    for (const { name: rawName, value, offset } of written) {
      if (isDeclaration(rawName)) continue;
      const name = resolveName(rawName, scope, false, offset);
      if (element.attributes.has(name)) fail(offset, `a second attribute ${name}`, 'each attribute once');
      element.attributes.set(name, value.trim());
      element.attributePositions.set(name, this.position(offset));
    }
  }

  private attributes(entry: Entry, start: number): readonly WrittenAttribute[] {
    const values = (entry[':@'] ?? {}) as Readonly<Record<string, string>>;
    const marked = Object.keys(values);
    if (marked.length > MOST_ATTRIBUTES) {
      fail(start, `${marked.length} attributes`, `at most ${MOST_ATTRIBUTES}`);
    }
    const offsets = attributeOffsets(this.text, start);
    return marked.map((key) => {
      const name = key.slice(ATTRIBUTE_MARK.length);
      const offset = offsets.get(name) ?? start;
      const raw = values[key] ?? '';
      if (raw.includes('<')) fail(offset, 'the character "<" in an attribute', '"&lt;"');
      // XML 1.0, 3.3.3: literal white space in an attribute is a blank; a reference to it is not.
      return { name, value: decode(raw.replace(/[\t\n]/g, ' '), offset), offset };
    });
  }

  private rawText(contents: readonly Entry[], offset: number): string {
    return contents
      .map((entry) => {
        if (TEXT in entry) return decode(String(entry[TEXT]), offset);
        if (!(CDATA in entry)) return '';
        return (entry[CDATA] as readonly Entry[]).map((part) => String(part[TEXT])).join('');
      })
      .join('');
  }

  private position(offset: number): Position {
    let low = 0;
    let high = this.lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (this.lineStarts[low] ?? 0) + 1 };
  }
}

function elementName(entry: Entry): string | null {
  const key = Object.keys(entry).find((each) => each.startsWith(ELEMENT_MARK));
  return key === undefined ? null : key.slice(ELEMENT_MARK.length);
}

function startOf(entry: Entry): number {
  return (entry[META] as { startIndex?: number } | undefined)?.startIndex ?? 0;
}

function endOf(entry: Entry): number {
  return (entry[META] as { endIndex?: number } | undefined)?.endIndex ?? 0;
}

/** The parser knows where a tag starts, but not where its attributes do. */
function attributeOffsets(text: string, start: number): ReadonlyMap<string, number> {
  const offsets = new Map<string, number>();
  const attribute = /\s+([^\s=/>"'<]+)\s*=\s*(?:"[^"]*"|'[^']*')/y;
  attribute.lastIndex =
    start + (/^<[^\s/>]*/.exec(text.slice(start, start + LONGEST_NAME + 2))?.[0].length ?? 0);
  for (let match = attribute.exec(text); match !== null; match = attribute.exec(text)) {
    offsets.set(match[1] ?? '', match.index + match[0].search(/\S/));
  }
  return offsets;
}

function decode(text: string, offset: number): string {
  const result = decodeReferences(text);
  if (result.ok) return result.text;
  const shown = result.reference.slice(0, 40);
  return fail(
    offset,
    `the reference "${shown}"`,
    '&lt; &gt; &amp; &quot; &apos; or the number of an allowed character',
  );
}

/**
 * As distro_const reads text: stripped, and without a pair of quotes around the whole. Lists keep their quotes,
 * which mean something, and an argument of the extension is taken to the letter.
 */
function elementText(name: string, raw: string): string {
  if (name === 'farm:arg') return raw;
  const text = raw.trim();
  if (isQuotedList(name) || name === 'farm:fingerprint' || name === 'farm:reads') return text;
  return /^"([^"]*)"$/s.exec(text)?.[1] ?? /^'([^']*)'$/s.exec(text)?.[1] ?? text;
}
