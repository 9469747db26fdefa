import { Link } from 'wouter';
import type { AgentAttempt, AgentChange, AgentHistory as History } from '#libs/contracts';
import { describeAgentChange, describeEnd } from '#libs/watch';
import { DataTable, type Column } from '../kit/data-table.js';
import { Failure } from '../kit/failure.js';
import { DateTime, Elapsed } from '../kit/moments.js';
import { pathOf } from '../session/farm-api.js';
import { useFarmPages } from '../session/use-farm.js';

type Entry = History['entries'][number];

const PAGE = 50;

/** What an agent ran, and what became of it, newest first. */
export function AgentHistory({ agent }: { readonly agent: string }) {
  const path = `${pathOf`/agents/${agent}/history`}?limit=${PAGE}`;
  const pages = useFarmPages<History>(path);
  const entries = pages.data?.pages.flatMap((page) => page.entries) ?? [];
  return (
    <section aria-label="History">
      <h2>
        History{' '}
        <Link href={`/json${path}`} className="json-link">
          JSON<span className="hidden"> of the history</span>
        </Link>
      </h2>
      {pages.isError && <Failure error={pages.error} onRetry={() => void pages.refetch()} />}
      {pages.isPending && <p className="waiting">Loading its history…</p>}
      {pages.isSuccess && entries.length === 0 && <p className="none">Nothing yet.</p>}
      {entries.length > 0 && (
        <DataTable
          label="History"
          className="history"
          columns={COLUMNS}
          rows={entries}
          keyOf={(entry) => (entry.kind === 'attempt' ? entry.attempt : String(entry.seq))}
        />
      )}
      {pages.hasNextPage && (
        <button type="button" disabled={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
          Older history
        </button>
      )}
    </section>
  );
}

const COLUMNS: readonly Column<Entry>[] = [
  { name: 'When', isNumber: true, className: 'cell-when', cell: ({ at }) => <DateTime at={at} /> },
  {
    name: 'What',
    isRowHead: true,
    cell: (entry) => (entry.kind === 'attempt' ? <Ran attempt={entry} /> : <Became change={entry} />),
  },
  {
    name: 'Took',
    isNumber: true,
    isNamedOnPhone: true,
    cell: (entry) =>
      entry.kind === 'attempt' && entry.startedAt !== null ? (
        <Elapsed since={entry.startedAt} until={entry.endedAt} />
      ) : (
        '–'
      ),
  },
  {
    name: 'How it ended',
    className: 'cell-summary',
    cell: (entry) => (entry.kind === 'attempt' ? standing(entry) : ''),
  },
];

function standing({ state, phase, end, steps }: AgentAttempt): string {
  return end === null ? (phase ?? state) : describeEnd(end, { steps });
}

function Ran({
  attempt: { attempt, build, name, variant, lane, number },
}: {
  readonly attempt: AgentAttempt;
}) {
  return (
    <>
      ran{' '}
      <Link href={`/builds/${build}/log/${attempt}`}>
        {variant === 'default' ? lane : `${variant}/${lane}`}
      </Link>
      {number > 1 && <span className="more"> (attempt {number})</span>} of{' '}
      <Link href={`/builds/${build}`}>{name}</Link> <code className="id">{build}</code>
    </>
  );
}

function Became({ change }: { readonly change: AgentChange }) {
  return (
    <>
      {describeAgentChange(change)}
      {change.until !== null && (
        <>
          {' '}
          until <DateTime at={change.until} />
        </>
      )}
    </>
  );
}
