import { describe, expect, it } from '@jest/globals';
import type { CheckpointTrie, TrieNode } from '#libs/contracts';
import { trieRows, type OpenedTrie } from './trie-rows.js';

const node = (id: string, children = 0): TrieNode => ({
  ...{ id, kind: 'state', step: id, before: null, lane: 'main', variant: null, distributions: [] },
  ...{ builds: 1, variants: 1, holders: [], newestAt: 0, pinned: false, inUse: false, areaBytes: null },
  ...{ checkpoint: null, children, below: children, countEnded: false },
});
type Answers = Readonly<Record<string, CheckpointTrie['levels']>>;
const level = (parent: string | null, nodes: readonly TrieNode[], next: string | null = null) => ({
  parent,
  nodes: [...nodes],
  next,
});

/** The tree as text, a row a line; and what is asked for. */
function shown(answers: Answers, change: Partial<OpenedTrie> = {}) {
  const opened = { opened: new Map(), leadsToChosen: new Set<string>(), pages: new Map(), ...change };
  const { rows, asks } = trieRows(opened, ({ parent, after }) => {
    const levels = answers[`${parent ?? 'top'}${after === null ? '' : ` ${after}`}`];
    return levels === undefined ? undefined : { levels };
  });
  return {
    lines: rows.map((row) => {
      const mark = row.kind !== 'node' ? `(${row.kind})` : row.isOpen === null ? '-' : row.isOpen ? 'v' : '>';
      const place = row.kind === 'node' ? ` ${row.id} ${row.position}/${row.setSize}` : '';
      return `${'  '.repeat(row.indent)}${mark}${place} L${row.level}`;
    }),
    asks: asks.map(({ parent, after }) => `${parent ?? 'top'}${after === null ? '' : ` ${after}`}`),
  };
}

const CHAIN: Answers = {
  top: [level(null, [node('a', 1)]), level('a', [node('b', 2)]), level('b', [node('c'), node('d', 1)])],
  d: [level('d', [node('e')])],
};

describe('the rows of the tree', () => {
  it('wait for the first answer', () => {
    expect(shown({})).toEqual({ lines: ['(loading) L1'], asks: ['top'] });
  });

  it('are open where there is no choice, without asking twice, and stand below each other there', () => {
    expect(shown(CHAIN)).toEqual({
      lines: ['v a 1/1 L1', 'v b 1/1 L2', '  - c 1/2 L3', '  > d 2/2 L3'],
      asks: ['top'],
    });
  });

  it('follow what somebody opens and closes', () => {
    expect(shown(CHAIN, { opened: new Map([['d', true]]) })).toEqual({
      lines: ['v a 1/1 L1', 'v b 1/1 L2', '  - c 1/2 L3', '  v d 2/2 L3', '  - e 1/1 L4'],
      asks: ['top', 'd'],
    });
    expect(shown(CHAIN, { opened: new Map([['a', false]]) }).lines).toEqual(['> a 1/1 L1']);
  });

  it('lead to what is chosen, unless somebody closed that', () => {
    const leadsToChosen = new Set(['a', 'b', 'd']);
    expect(shown(CHAIN, { leadsToChosen }).lines).toContain('  - e 1/1 L4');
    expect(shown(CHAIN, { leadsToChosen, opened: new Map([['d', false]]) }).lines).not.toContain(
      '  - e 1/1 L4',
    );
  });

  it('come by page, one behind the other, each node once', () => {
    const answers: Answers = {
      top: [level(null, [node('a'), node('b')], '1.b')],
      'top 1.b': [level(null, [node('b'), node('c')])],
    };
    expect(shown(answers).lines).toEqual(['- a 1/-1 L1', '- b 2/-1 L1', '(more) L1']);
    expect(shown(answers, { pages: new Map([['', 2]]) })).toEqual({
      lines: ['- a 1/3 L1', '- b 2/3 L1', '- c 3/3 L1'],
      asks: ['top', 'top 1.b'],
    });
  });

  it('ask by themselves for more of a level that came with another', () => {
    const answers: Answers = {
      top: [level(null, [node('a', 3)]), level('a', [node('b')], '1.b')],
      a: [level('a', [node('b')], '1.b')],
      'a 1.b': [level('a', [node('c')])],
    };
    expect(shown(answers).lines).toEqual(['v a 1/1 L1', '  - b 1/-1 L2', '  (more) L2']);
    expect(shown(answers, { pages: new Map([['a', 2]]) })).toEqual({
      lines: ['v a 1/1 L1', '  - b 1/2 L2', '  - c 2/2 L2'],
      asks: ['top', 'a', 'a 1.b'],
    });
  });
});
