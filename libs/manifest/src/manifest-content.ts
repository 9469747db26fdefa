import type { Manifest, ManifestElement } from './manifest.js';
import { parseNodepath } from './nodepath.js';
import { matchNodes } from './query-manifest.js';
import { elementValues, queryableAttributes, queryableChildren } from './queryable.js';

/**
 * All of the resolved manifest that a script could query, as one text for a digest: equal texts mean that no
 * script can tell the manifests apart. Left out is what is cosmetic: comments, blanks, line numbers, the order
 * of attributes and of differently named siblings, and step messages (a script may ask for those, but what it
 * builds must not depend on words for people). Contains passwords: digest it, never show or log it.
 */
export function manifestContent(manifest: Manifest): string {
  return JSON.stringify(content(manifest.root));
}

/**
 * The same for one declared read: everything at and below the nodes that the nodepath matches, in document
 * order. A malformed nodepath reads nothing, as a query of it would.
 */
export function readContent(root: ManifestElement, nodepath: string): string {
  const parsed = parseNodepath(nodepath);
  if (!parsed.ok) return '[]';
  const nodes = matchNodes(root, parsed.nodepath);
  return JSON.stringify(nodes.map(({ element, value }) => (element === null ? value : content(element))));
}

type Content = readonly [
  name: string,
  attributes: unknown,
  values: readonly string[],
  children: readonly Content[],
];

/** Manifests of one submission have most of their elements in common, which are never changed once they are in one. */
const known = new WeakMap<ManifestElement, Content>();

function content(element: ManifestElement): Content {
  const found = known.get(element) ?? contentOf(element);
  known.set(element, found);
  return found;
}

function contentOf(element: ManifestElement): Content {
  const attributes = queryableAttributes(element).filter(([name]) => !isForPeople(element, name));
  return [
    element.name,
    attributes.toSorted(([a], [b]) => compare(a, b)),
    elementValues(element),
    queryableChildren(element)
      .toSorted((a, b) => compare(a.name, b.name))
      .map(content),
  ];
}

function isForPeople(element: ManifestElement, attribute: string): boolean {
  return element.name === 'checkpoint' && attribute === 'message';
}

/** By code unit, the same on every machine whatever its locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
