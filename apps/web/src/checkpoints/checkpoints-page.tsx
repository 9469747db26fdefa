import { useId, useMemo, useState } from 'react';
import { useSearchParams } from 'wouter';
import type { z } from 'zod';
import type { AgentList, TrieNode, TrieNodeDetail } from '#libs/contracts';
import { Answer } from '../kit/answer.js';
import { Failure } from '../kit/failure.js';
import { Ago } from '../kit/moments.js';
import { PageHead } from '../kit/page-head.js';
import { Refused } from '../session/api-failure.js';
import { pathOf } from '../session/farm-api.js';
import { useFarm } from '../session/use-farm.js';
import { CheckpointsTabs } from './checkpoints-tabs.js';
import { belowNode, nameOfNode, sharesOfNode, sizeOfAreas } from './describe-node.js';
import { StatePanel } from './state-panel.js';
import { TrieTree } from './trie-tree.js';
import { levelPath, useTrie } from './use-trie.js';

/** What narrows the tree, in the address; beside it `at`, the chosen node, and `from`, the one to compare with. */
const FILTERS = ['distribution', 'build', 'agent'] as const;

/** The states that agents hold, as a tree: what equals each other is there once, below what it comes from. */
export function CheckpointsPage() {
  const [search, setSearch] = useSearchParams();
  const chosen = search.get('at');
  const filter = new URLSearchParams(FILTERS.flatMap((name) => entryOf(search, name)));
  const path = chosen === null ? null : pathOf`/checkpoints/trie/${chosen}`;
  const detail = useFarm<TrieNodeDetail>(path);
  const change = (name: string, value: string): void => {
    setSearch(
      (before) => {
        const next = new URLSearchParams(before);
        if (value === '') next.delete(name);
        else next.set(name, value);
        return next;
      },
      { replace: true },
    );
  };
  return (
    <section className="checkpoints">
      <PageHead title="Checkpoints" json={path ?? levelPath(filter, { parent: null, after: null })} />
      <CheckpointsTabs at="tree" />
      <Filters search={search} onChange={change} />
      <div className="checkpoints-view">
        <Tree
          // What was open in one tree is not there in another.
          key={filter.toString()}
          filter={filter}
          chosen={chosen}
          leadsToChosen={detail.data?.path ?? NONE}
          onChoose={(id) => change('at', id)}
        />
        {isGone(detail.error) && <Failure error={detail.error} />}
        {path !== null && !isGone(detail.error) && (
          <Answer of={detail} what="the state">
            {(data) => (
              <StatePanel
                key={data.node.id}
                detail={data}
                from={search.get('from')}
                onFrom={(id) => change('from', id ?? '')}
              />
            )}
          </Answer>
        )}
      </div>
    </section>
  );
}

const NONE: readonly string[] = [];

/** What is known of it from before is no old data then: it was dropped, or collected. */
function isGone(error: Error | null): boolean {
  return error instanceof Refused && error.status === 404;
}

function entryOf(search: URLSearchParams, name: string): readonly [string, string][] {
  const value = search.get(name) ?? '';
  return value === '' ? [] : [[name, value]];
}

interface TreeProps {
  readonly filter: URLSearchParams;
  readonly chosen: string | null;
  readonly leadsToChosen: readonly string[];
  readonly onChoose: (id: string) => void;
}

function Tree({ filter, chosen, leadsToChosen, onChoose }: TreeProps) {
  const [opened, setOpened] = useState<ReadonlyMap<string, boolean>>(new Map());
  const [pages, setPages] = useState<ReadonlyMap<string, number>>(new Map());
  const leads = useMemo(() => new Set(leadsToChosen), [leadsToChosen]);
  const { rows, error, retry } = useTrie(filter, { opened, leadsToChosen: leads, pages });
  return (
    <div className="trie-side">
      {error !== null && <Failure error={error} onRetry={retry} />}
      {rows.length === 0 ? (
        <p className="none">
          {filter.size === 0 ? 'No agent holds a checkpoint.' : 'No agent holds such a checkpoint.'}
        </p>
      ) : (
        <TrieTree
          label="States that agents hold"
          rows={rows}
          chosen={chosen}
          onChoose={onChoose}
          onOpen={(id, isOpen) => setOpened(new Map(opened).set(id, isOpen))}
          onMore={(parent) => {
            const key = parent ?? '';
            setPages(new Map(pages).set(key, (pages.get(key) ?? 1) + 1));
          }}
        >
          {({ node }) => <NodeCells node={node} />}
        </TrieTree>
      )}
    </div>
  );
}

function NodeCells({ node }: { readonly node: TrieNode }) {
  const { kind, distributions, lane, variant, holders, areaBytes, newestAt, below, pinned, inUse } = node;
  return (
    <>
      <span className="trie-name">
        <b>{nameOfNode(node)}</b>{' '}
        <span className="more">
          {kind === 'checkpoint' ? `${variant ?? ''} ` : ''}
          {lane !== 'main' && lane !== '' ? `lane ${lane} ` : ''}
          {distributions.join(', ')}
        </span>
      </span>
      <span className="trie-marks">
        {pinned && <span className="mark">pinned</span>} {inUse && <span className="mark">in use</span>}
      </span>
      <span className="trie-shared">{kind === 'state' ? sharesOfNode(node) : ''}</span>
      <span className="trie-holders">
        {holders.map(({ agentName, lost }) => `${agentName}${lost ? ' (lost)' : ''}`).join(', ')}
      </span>
      <span className="trie-size number">
        {kind === 'state' && <span title="What the areas take that hold it">{sizeOfAreas(areaBytes)}</span>}
      </span>
      <span className="trie-below number">{below > 0 ? belowNode(node) : ''}</span>
      <span className="trie-age number">
        <Ago at={newestAt} />
      </span>
    </>
  );
}

interface FiltersProps {
  readonly search: URLSearchParams;
  readonly onChange: (name: string, value: string) => void;
}

function Filters({ search, onChange }: FiltersProps) {
  const ids = { distribution: useId(), build: useId(), agent: useId() };
  const agents = useFarm<z.infer<typeof AgentList>>('/agents');
  const named = (agents.data?.agents ?? []).map(({ name }) => name);
  const agent = search.get('agent') ?? '';
  return (
    <form
      className="filters"
      role="search"
      aria-label="Filter checkpoints"
      onSubmit={(event) => event.preventDefault()}
    >
      <label htmlFor={ids.distribution}>Distribution</label>
      <FilterInput
        key={`d ${search.get('distribution') ?? ''}`}
        id={ids.distribution}
        value={search.get('distribution') ?? ''}
        onDone={(value) => onChange('distribution', value)}
      />
      <label htmlFor={ids.build}>Build</label>
      <FilterInput
        key={`b ${search.get('build') ?? ''}`}
        id={ids.build}
        value={search.get('build') ?? ''}
        onDone={(value) => onChange('build', value)}
      />
      <label htmlFor={ids.agent}>Agent</label>
      <select id={ids.agent} value={agent} onChange={(event) => onChange('agent', event.target.value)}>
        <option value="">any</option>
        {[...new Set([...named, ...(agent === '' ? [] : [agent])])].map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </form>
  );
}

interface FilterInputProps {
  readonly id: string;
  readonly value: string;
  readonly onDone: (value: string) => void;
}

/** Asks when it is left, or by Enter: half a name is no build. */
function FilterInput({ id, value, onDone }: FilterInputProps) {
  const [text, setText] = useState(value);
  const done = (): void => {
    if (text.trim() !== value) onDone(text.trim());
  };
  return (
    <input
      id={id}
      value={text}
      onChange={(event) => setText(event.target.value)}
      onBlur={done}
      onKeyDown={(event) => {
        if (event.key === 'Enter') done();
      }}
    />
  );
}
