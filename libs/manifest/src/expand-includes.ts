import type { DraftElement } from './draft-element.js';
import { includedPath } from './included-path.js';
import { atAttribute, atElement, childPlaces, rootPlace, type Finding, type Place } from './place.js';
import { quoteValue } from './quote-value.js';
import { DEEPEST_ELEMENT, readXml } from './read-xml.js';
import { byteLength, LARGEST_MANIFEST_BYTES, MOST_ELEMENTS } from './xml-guard.js';

/** Gives the text of a file by its path from the manifest's folder, `/` between components; or why not, as in "`a.xml` does not exist". */
export type ReadIncluded = (path: string) => IncludedText;
export type IncludedText =
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string };

export interface Expansion {
  readonly problems: readonly Finding[];
  /** Every file that was asked for, once, in the order in which they are first included. */
  readonly includes: readonly string[];
}

const INCLUDE = 'farm:include';
const PART = 'farm:part';
const DEEPEST_INCLUDE = 8;
const MOST_INCLUDES = 100;

/**
 * Puts what `farm:include` elements name in their place: the children of the file's root, `farm:part`. Changes the tree in place. What is included counts,
 * as often as it is, against the limits of one manifest.
 */
export function expandIncludes(
  root: DraftElement,
  text: string,
  file: string,
  read: ReadIncluded,
): Expansion {
  const expander = new Expander(read, byteLength(text), countElements(root));
  expander.expand(rootPlace(root), [file.slice(file.lastIndexOf('/') + 1)], 1);
  return { problems: expander.problems, includes: [...expander.includes] };
}

/** Whether it is well-formed, and a file for others to include instead of a manifest. */
export function isPart(text: string): boolean {
  const read = readXml(text);
  return read.ok && read.root.name === PART;
}

class Expander {
  readonly problems: Finding[] = [];
  readonly includes = new Set<string>();
  private inclusions = 0;
  private isOver = false;

  constructor(
    private readonly read: ReadIncluded,
    private bytes: number,
    private elements: number,
  ) {}

  /** @param chain the file that has this element, last, behind those through which it is included */
  expand(place: Place, chain: readonly string[], depth: number): void {
    if (depth > DEEPEST_ELEMENT) {
      this.refuse(atElement(place, 'one level more', `at most ${DEEPEST_ELEMENT} levels`));
      return;
    }
    const children = childPlaces(place).flatMap((child) => {
      if (child.element.name === INCLUDE) return this.included(child, chain, depth);
      this.expand(child, chain, depth + 1);
      return [child.element];
    });
    place.element.children.splice(0, Infinity, ...children);
  }

  private included(place: Place, chain: readonly string[], depth: number): readonly DraftElement[] {
    if (this.isOver) return [];
    const path = this.pathOf(place, chain);
    if (path === null) return [];
    this.inclusions += 1;
    if (this.inclusions > MOST_INCLUDES) {
      this.isOver = true;
      return this.refuse(atElement(place, 'one file more', `at most ${MOST_INCLUDES} inclusions`));
    }
    this.includes.add(path);
    const part = this.partAt(place, path);
    if (part === null) return [];
    // The part itself goes; its children come where the include stands.
    this.expand(rootPlace(part), [...chain, path], depth);
    return part.children;
  }

  private pathOf(place: Place, chain: readonly string[]): string | null {
    const { attributes, children, text } = place.element;
    const href = attributes.get('href');
    const other = [...attributes.keys()].find((name) => name !== 'href');
    if (other !== undefined) this.refuse(atAttribute(place, other, 'an unknown attribute', 'only href'));
    if (children.length > 0 || text !== '')
      this.refuse(atElement(place, 'something inside', 'nothing in this element'));
    if (href === undefined) {
      this.refuse(
        atAttribute(place, 'href', 'no such attribute', 'the path of a file, relative to this one'),
      );
      return null;
    }
    const path = includedPath(place.element.includedFrom ?? '', href);
    if (path === null) {
      const expected = "a path relative to this file, to a file in the manifest's folder or below it";
      this.refuse(atAttribute(place, 'href', quoteValue(href), expected));
      return null;
    }
    if (chain.includes(path)) {
      const found = `a file that includes itself: ${[...chain.slice(chain.indexOf(path)), path].join(', which includes ')}`;
      this.refuse(atAttribute(place, 'href', found, 'includes without a circle'));
      return null;
    }
    if (chain.length > DEEPEST_INCLUDE) {
      const found = `a file included through ${chain.length - 1} others`;
      this.refuse(atAttribute(place, 'href', found, `at most ${DEEPEST_INCLUDE} includes in one another`));
      return null;
    }
    return path;
  }

  private partAt(place: Place, path: string): DraftElement | null {
    const answer = this.read(path);
    if (!answer.ok) {
      const expected = `a file with <${PART}> as its root`;
      this.refuse(atAttribute(place, 'href', `${quoteValue(path)}, which ${answer.reason}`, expected));
      return null;
    }
    this.bytes += byteLength(answer.text);
    if (this.bytes > LARGEST_MANIFEST_BYTES) {
      this.isOver = true;
      const found = `${this.bytes} bytes in all, with ${quoteValue(path)}`;
      this.refuse(
        atElement(place, found, `at most ${LARGEST_MANIFEST_BYTES} of the manifest and all it includes`),
      );
      return null;
    }
    const result = readXml(answer.text, path);
    if (!result.ok) {
      const { position, found, expected } = result;
      this.refuse({ ...position, includedFrom: path, path: 'XML', found, expected });
      return null;
    }
    return this.checkedPart(place, result.root);
  }

  private checkedPart(place: Place, root: DraftElement): DraftElement | null {
    this.elements += countElements(root);
    if (this.elements > MOST_ELEMENTS) {
      this.isOver = true;
      const expected = `at most ${MOST_ELEMENTS} in the manifest and all it includes`;
      this.refuse(atElement(place, `${this.elements} elements in all`, expected));
      return null;
    }
    const part = rootPlace(root);
    if (root.name !== PART) {
      this.refuse(
        atElement(part, `the root element <${root.name}>`, `<${PART}>, with what to include in it`),
      );
      return null;
    }
    for (const name of root.attributes.keys())
      this.refuse(atAttribute(part, name, 'an unknown attribute', 'no attributes there'));
    if (root.text !== '')
      this.refuse(atElement(part, `the text ${quoteValue(root.text)}`, 'no text in this element'));
    return root;
  }

  private refuse(problem: Finding): [] {
    this.problems.push(problem);
    return [];
  }
}

function countElements({ children }: DraftElement): number {
  return children.reduce((sum, child) => sum + countElements(child), 1);
}
