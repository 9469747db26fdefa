import type { CheckpointTrie, TrieNode } from '#libs/contracts';

/** A level of the trie, or what comes behind what is there of it. */
export interface LevelAsk {
  /** `null`: the top. */
  readonly parent: string | null;
  readonly after: string | null;
}

export type TrieRow = NodeRow | OtherRow;

interface RowPlace {
  /** Of the node; else no node's. */
  readonly id: string;
  readonly parent: string | null;
  /** Nodes above it, and itself. */
  readonly level: number;
  /** Choices above it: where there was none, it stands right below its parent. */
  readonly indent: number;
}

export interface NodeRow extends RowPlace {
  readonly kind: 'node';
  readonly node: TrieNode;
  /** From 1 on, among those with its parent; of so many, -1 when there are more than are known. */
  readonly position: number;
  readonly setSize: number;
  /** `null`: nothing is below it. */
  readonly isOpen: boolean | null;
}

/** `more`: there are more with that parent. `loading`: they are on their way. */
export interface OtherRow extends RowPlace {
  readonly kind: 'more' | 'loading';
}

export interface OpenedTrie {
  /** What somebody said, by node; else that is open where there is no choice, or what leads to the chosen one. */
  readonly opened: ReadonlyMap<string, boolean>;
  readonly leadsToChosen: ReadonlySet<string>;
  /** How many pages of a level are wanted, by parent (empty: the top); else one. */
  readonly pages: ReadonlyMap<string, number>;
}

export interface ShownTrie {
  readonly rows: readonly TrieRow[];
  /** What has to be asked for to show them; those that have no answer yet, too. */
  readonly asks: readonly LevelAsk[];
}

interface Level {
  readonly nodes: readonly TrieNode[];
  readonly rest: 'more' | 'loading' | null;
}

/** The rows of the tree as it is opened, from the answers that there are. */
export function trieRows(
  { opened, leadsToChosen, pages }: OpenedTrie,
  answerTo: (ask: LevelAsk) => CheckpointTrie | undefined,
): ShownTrie {
  const asks: LevelAsk[] = [];
  const rows: TrieRow[] = [];
  const given = new Map<string, Level>();

  const ask = (parent: string | null): Level => {
    const nodes = new Map<string, TrieNode>();
    let after: string | null = null;
    for (let page = pagesOf(parent, pages); page > 0; page -= 1) {
      asks.push({ parent, after });
      const levels: CheckpointTrie['levels'] = answerTo({ parent, after })?.levels ?? [];
      const [first, ...below] = levels;
      if (first === undefined) return { nodes: [...nodes.values()], rest: 'loading' };
      for (const node of first.nodes) nodes.set(node.id, node);
      for (const level of below)
        if (level.parent !== null)
          given.set(level.parent, { nodes: level.nodes, rest: level.next === null ? null : 'more' });
      after = first.next;
      if (after === null) break;
    }
    return { nodes: [...nodes.values()], rest: after === null ? null : 'more' };
  };

  const show = (parent: string | null, level: number, indent: number): void => {
    const known = parent === null || pagesOf(parent, pages) > 1 ? undefined : given.get(parent);
    const { nodes, rest } = known ?? ask(parent);
    for (const [at, node] of nodes.entries()) {
      const { id } = node;
      const isOpen =
        node.children === 0 ? null : (opened.get(id) ?? (given.has(id) || leadsToChosen.has(id)));
      const setSize = rest === null ? nodes.length : -1;
      rows.push({ kind: 'node', id, node, parent, level, indent, position: at + 1, setSize, isOpen });
      if (isOpen === true) show(id, level + 1, indent + (node.children > 1 ? 1 : 0));
    }
    if (rest !== null) rows.push({ kind: rest, id: `${parent ?? ''} ${rest}`, parent, level, indent });
  };

  show(null, 1, 0);
  return { rows, asks };
}

function pagesOf(parent: string | null, pages: OpenedTrie['pages']): number {
  return pages.get(parent ?? '') ?? 1;
}
