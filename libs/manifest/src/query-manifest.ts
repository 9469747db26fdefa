import type { ManifestElement } from './manifest.js';
import { parseNodepath, type Nodepath, type NodepathPart, type Predicate } from './nodepath.js';
import { elementValues, isSecretElement, queryableAttribute, queryableChildrenNamed } from './queryable.js';

export type QueryResult =
  | {
      readonly ok: true;
      /** In document order; attributes of an element before its children. */
      readonly values: readonly string[];
      /**
       * The answer shows a password, or depends on one: a predicate compared it. Do not hand the values to a
       * script that was not granted passwords.
       */
      readonly isSecret: boolean;
    }
  | { readonly ok: false; readonly reason: string };

/**
 * All values at a nodepath, which starts below the root element: `name` is the distribution name. No match
 * gives no values. A list such as `argslist` gives one value for each of its words; every other value is
 * returned whole. Never throws.
 */
export function queryManifest(root: ManifestElement, nodepath: string): QueryResult {
  const parsed = parseNodepath(nodepath);
  if (!parsed.ok) return parsed;
  const search = new Search();
  const values = search.find(rootNode(root), parsed.nodepath).flatMap((node) => search.valuesOf(node));
  if (search.isTooLong())
    return { ok: false, reason: `the nodepath leads past more than ${MOST_VISITS} nodes` };
  return { ok: true, values, isSecret: search.hasSeenSecret };
}

/**
 * Brackets within brackets multiply. A script that asks so must not stop the process that answers it; 100
 * packages compared each with each are 10,000 visits.
 */
const MOST_VISITS = 1_000_000;

/** What a nodepath matches, for those who want more than the values. */
export function matchNodes(root: ManifestElement, nodepath: Nodepath): readonly MatchedNode[] {
  return new Search().find(rootNode(root), nodepath);
}

/** An element, or (`element: null`) an attribute of `parent`. */
export interface MatchedNode {
  readonly name: string;
  readonly element: ManifestElement | null;
  readonly value: string;
  readonly parent: MatchedNode | null;
}

function rootNode(root: ManifestElement): MatchedNode {
  return { name: root.name, element: root, value: root.text, parent: null };
}

/** One query. Notes on its way whether any password was looked at, by whichever detour. */
class Search {
  hasSeenSecret = false;
  private visits = 0;
  /** `..` must find the very node again, so that several ways to it count once. */
  private readonly childrenOf = new Map<MatchedNode, Map<string, readonly MatchedNode[]>>();

  /** Then what was found is not all, and worth nothing. */
  isTooLong(): boolean {
    return this.visits > MOST_VISITS;
  }

  find(start: MatchedNode, nodepath: Nodepath): readonly MatchedNode[] {
    let nodes: readonly MatchedNode[] = [start];
    for (const part of nodepath.parts) nodes = this.step(nodes, part);
    return nodes;
  }

  valuesOf(node: MatchedNode): readonly string[] {
    if (node.element === null) return [node.value];
    if (isSecretElement(node.element)) this.hasSeenSecret = true;
    return elementValues(node.element);
  }

  private step(nodes: readonly MatchedNode[], part: NodepathPart): readonly MatchedNode[] {
    const next = nodes.flatMap((node) => (part.name === '..' ? parentOf(node) : this.named(node, part.name)));
    this.visits += next.length;
    if (this.isTooLong()) return [];
    return [...new Set(next)].filter((node) => this.isWanted(node, part));
  }

  private named(node: MatchedNode, name: string): readonly MatchedNode[] {
    const byName = this.childrenOf.get(node) ?? new Map<string, readonly MatchedNode[]>();
    this.childrenOf.set(node, byName);
    const children = byName.get(name) ?? childNodes(node, name);
    byName.set(name, children);
    return children;
  }

  private isWanted(node: MatchedNode, { predicates, value }: NodepathPart): boolean {
    if (value !== null && !this.valuesOf(node).includes(value)) return false;
    return predicates.every((predicate) => this.holds(node, predicate));
  }

  private holds(node: MatchedNode, { path, value }: Predicate): boolean {
    return this.find(node, path).some((found) => this.valuesOf(found).includes(value));
  }
}

function parentOf(node: MatchedNode): readonly MatchedNode[] {
  return node.parent === null ? [] : [node.parent];
}

/** Those of the name. */
function childNodes(node: MatchedNode, name: string): readonly MatchedNode[] {
  if (node.element === null) return [];
  const children = queryableChildrenNamed(node.element, name).map((element): MatchedNode => ({
    name,
    element,
    value: element.text,
    parent: node,
  }));
  const value = queryableAttribute(node.element, name);
  return value === undefined ? children : [{ name, element: null, value, parent: node }, ...children];
}
