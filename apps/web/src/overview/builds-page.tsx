import { useId } from 'react';
import { useSearchParams } from 'wouter';
import type { BuildPage, BuildState } from '#libs/contracts';
import { Answer } from '../kit/answer.js';
import { PageHead } from '../kit/page-head.js';
import { useFarmPages } from '../session/use-farm.js';
import { BuildTable } from './build-table.js';

const STATES: readonly BuildState[] = ['waiting', 'running', 'paused', 'succeeded', 'failed', 'cancelled'];
const PAGE = 50;

/** All builds there were, newest first; the filter is in the address. */
export function BuildsPage() {
  const [search, setSearch] = useSearchParams();
  const ids = { state: useId(), user: useId(), name: useId() };
  const filter = new URLSearchParams([...search].filter(([, value]) => value !== ''));
  const path = `/builds?${new URLSearchParams([...filter, ['limit', String(PAGE)]]).toString()}`;
  const pages = useFarmPages<BuildPage>(path);
  const change = (name: string, value: string): void => {
    const next = new URLSearchParams(search);
    if (value === '') next.delete(name);
    else next.set(name, value);
    setSearch(next, { replace: true });
  };
  const builds = pages.data?.pages.flatMap((page) => page.builds) ?? [];
  return (
    <section>
      <PageHead title="Builds" json={path} />
      <form
        className="filters"
        role="search"
        aria-label="Filter builds"
        onSubmit={(event) => event.preventDefault()}
      >
        <label htmlFor={ids.state}>State</label>
        <select
          id={ids.state}
          value={search.get('state') ?? ''}
          onChange={(event) => change('state', event.target.value)}
        >
          <option value="">any</option>
          {STATES.map((state) => (
            <option key={state}>{state}</option>
          ))}
        </select>
        <label htmlFor={ids.name}>Distribution</label>
        <input
          id={ids.name}
          value={search.get('name') ?? ''}
          onChange={(event) => change('name', event.target.value)}
        />
        <label htmlFor={ids.user}>By</label>
        <input
          id={ids.user}
          value={search.get('user') ?? ''}
          onChange={(event) => change('user', event.target.value)}
        />
      </form>
      <Answer of={pages} what="the builds">
        {() =>
          builds.length === 0 ? (
            <p className="none">There is no such build.</p>
          ) : (
            <BuildTable builds={builds} label="Builds" />
          )
        }
      </Answer>
      {pages.hasNextPage && (
        <button type="button" disabled={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
          Older builds
        </button>
      )}
    </section>
  );
}
