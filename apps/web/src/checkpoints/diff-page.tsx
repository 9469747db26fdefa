import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { useEffect, useId, useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import type { CheckpointDiff, ComparedCheckpoint, ReadyDiff } from '#libs/contracts';
import { formatByteDifference, formatBytes } from '#libs/watch';
import { DataTable, type Column } from '../kit/data-table.js';
import { Failure } from '../kit/failure.js';
import { DateTime, Elapsed } from '../kit/moments.js';
import { PageHead } from '../kit/page-head.js';
import { useSession } from '../session/session.js';
import { diffAddress } from './compared-steps.js';
import { FileChanges } from './file-changes.js';
import { PackageChanges } from './package-changes.js';

const PAGE = 1000;
/** Agents take seconds; one that is lost, longer. */
const WAITING_MS = 1_000;
const FAILED_MS = 10_000;
/** Whoever types does not mean each letter. */
const TYPED_MS = 300;

/** What is not the same in two checkpoints: `?from=ID&to=ID`, and `&path=` for only some files. */
export function DiffPage() {
  const [search, setSearch] = useSearchParams();
  const [from, to, path] = ['from', 'to', 'path'].map((name) => search.get(name) ?? '') as [
    string,
    string,
    string,
  ];
  const { api } = useSession();
  const asked = `/checkpoints/diff?${new URLSearchParams({ from, to, ...(path === '' ? {} : { path }) }).toString()}`;
  const pages = useInfiniteQuery({
    queryKey: [asked],
    queryFn: async ({ pageParam, signal }) =>
      await api.get<CheckpointDiff>(`${asked}&limit=${PAGE}&offset=${pageParam}`, { signal }),
    initialPageParam: 0,
    getNextPageParam: (last) => (last.state === 'ready' ? last.next : null),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state: { data } }) =>
      ({ waiting: WAITING_MS, failed: FAILED_MS, ready: false as const })[data?.pages[0]?.state ?? 'ready'],
  });
  const narrow = (wanted: string): void => {
    const next = new URLSearchParams(search);
    if (wanted === '') next.delete('path');
    else next.set('path', wanted);
    setSearch(next, { replace: true });
  };
  const [first] = pages.data?.pages ?? [];
  return (
    <section className="diff-page">
      <PageHead
        title="Difference"
        json={asked}
        actions={
          <Link href={diffAddress(to, from)} className="json-link">
            Other way round
          </Link>
        }
      />
      {pages.isError && <Failure error={pages.error} onRetry={() => void pages.refetch()} />}
      {pages.isPending && <p className="waiting">Loading the difference…</p>}
      {first !== undefined && (
        <>
          <div className="compared">
            <Side of={first.from} as="From" />
            <Side of={first.to} as="To" />
          </div>
          {first.state === 'failed' && (
            <p className="problem" role="alert">
              There is no difference to be shown: what is in a checkpoint is not to be had.
            </p>
          )}
          {first.state === 'waiting' && (
            <p className="waiting" role="status">
              As soon as agents have said what is in both, the difference is here. It takes seconds.
            </p>
          )}
          {first.state === 'ready' && (
            <>
              <Sums diff={first} />
              <PackageChanges of={first.packages} />
              <Folders of={first.folders} onChoose={narrow} />
              <h2>Files</h2>
              <PathFilter key={path} path={path} onChange={narrow} />
              <FileChanges
                changes={
                  pages.data?.pages.flatMap((page) => (page.state === 'ready' ? page.changes : [])) ?? []
                }
                matching={first.matching}
                isFiltered={path !== ''}
                onMore={
                  pages.hasNextPage && !pages.isFetchingNextPage ? () => void pages.fetchNextPage() : null
                }
              />
            </>
          )}
        </>
      )}
    </section>
  );
}

function Side({ of, as }: { readonly of: ComparedCheckpoint; readonly as: string }) {
  const { build, variant, lane, before, id, takenAt, agents, listing } = of;
  return (
    <section className="compared-side" aria-label={as}>
      <h2>
        {as} <span className="more">{before === null ? 'the end' : `in front of ${before}`}</span>
      </h2>
      <p>
        <Link href={`/builds/${build}`}>{build}</Link> {variant}
        {lane === 'main' ? '' : `/${lane}`}, {takenAt === null ? 'gone by now' : <DateTime at={takenAt} />}
        {agents.length > 0 && `, on ${agents.map(({ agentName }) => agentName).join(', ')}`}{' '}
        <code className="id">{id}</code>
      </p>
      {listing.state === 'ready' && (
        <p className="more">
          {listing.entries.toLocaleString()} files and folders, {formatBytes(listing.bytes)}
        </p>
      )}
      {listing.state === 'waiting' && (
        <p role="status">
          {sentence(listing.why)} since <Elapsed since={listing.since} until={null} />.
        </p>
      )}
      {listing.state === 'failed' && <p className="problem">{sentence(listing.why)}.</p>}
    </section>
  );
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function Sums({ diff }: { readonly diff: ReadyDiff }) {
  const { files, addedBytes, removedBytes, changedBytes } = diff;
  const counts = [
    ['added', files.added, addedBytes === 0 ? '' : formatBytes(addedBytes)],
    ['removed', files.removed, removedBytes === 0 ? '' : formatBytes(removedBytes)],
    ['changed', files.changed, changedBytes === 0 ? '' : formatByteDifference(changedBytes)],
    ['the same', files.same, ''],
  ] as const;
  return (
    <div className="strip" role="status" aria-label="Files and folders">
      {counts.map(([word, count, bytes]) => (
        <span key={word}>
          <b>{count.toLocaleString()}</b> {word} <span className="more">{bytes}</span>
        </span>
      ))}
      <span className="slots">
        <b>{formatByteDifference(addedBytes - removedBytes + changedBytes)}</b> in all
      </span>
    </div>
  );
}

type Folder = ReadyDiff['folders'][number];

interface FoldersProps {
  readonly of: readonly Folder[];
  readonly onChoose: (path: string) => void;
}

/** Where the changes are. A folder's name narrows the files to what is in it. */
function Folders({ of: folders, onChoose }: FoldersProps) {
  if (folders.length === 0) return null;
  return (
    <>
      <h2>Folders</h2>
      <DataTable
        label="Folders with changes"
        columns={folderColumns(onChoose)}
        rows={folders}
        keyOf={({ path }) => path}
      />
    </>
  );
}

function folderColumns(onChoose: (path: string) => void): readonly Column<Folder>[] {
  return [
    {
      name: 'Folder',
      isRowHead: true,
      cell: ({ path, whole }) => (
        <>
          {path === '' ? (
            'at the top'
          ) : (
            <button type="button" className="quiet path" onClick={() => onChoose(`${path}/`)}>
              {path}/
            </button>
          )}
          {!whole && <span className="more"> without those below that are listed</span>}
        </>
      ),
    },
    { name: 'Added', isNumber: true, isNamedOnPhone: true, cell: ({ added }) => shownCount(added) },
    { name: 'Removed', isNumber: true, isNamedOnPhone: true, cell: ({ removed }) => shownCount(removed) },
    { name: 'Changed', isNumber: true, isNamedOnPhone: true, cell: ({ changed }) => shownCount(changed) },
    { name: 'Size', isNumber: true, cell: ({ bytes }) => (bytes === 0 ? '' : formatByteDifference(bytes)) },
  ];
}

function shownCount(count: number): string {
  return count === 0 ? '–' : count.toLocaleString();
}

interface PathFilterProps {
  readonly path: string;
  readonly onChange: (path: string) => void;
}

function PathFilter({ path, onChange }: PathFilterProps) {
  const [typed, setTyped] = useState(path);
  const id = useId();
  useEffect(() => {
    if (typed === path) return;
    const timer = setTimeout(() => onChange(typed), TYPED_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return (
    <form
      className="filters"
      role="search"
      aria-label="Filter files"
      onSubmit={(event) => {
        event.preventDefault();
        onChange(typed);
      }}
    >
      <label htmlFor={id}>With this in their path</label>
      <input id={id} value={typed} maxLength={1000} onChange={(event) => setTyped(event.target.value)} />
    </form>
  );
}
