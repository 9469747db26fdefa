import { Link } from 'wouter';
import type { BuildSummary } from '#libs/contracts';
import { DataTable, type Column } from '../kit/data-table.js';
import { Ago, DateTime, Elapsed } from '../kit/moments.js';
import { Progress } from '../kit/progress.js';
import { StateMark } from '../kit/state-mark.js';

interface BuildTableProps {
  readonly builds: readonly BuildSummary[];
  readonly label: string;
}

/** Builds, one a row, each with the one sentence on what goes on. */
export function BuildTable({ builds, label }: BuildTableProps) {
  return (
    <DataTable label={label} className="builds" columns={COLUMNS} rows={builds} keyOf={({ id }) => id} />
  );
}

const COLUMNS: readonly Column<BuildSummary>[] = [
  {
    name: 'State',
    className: 'cell-state',
    cell: (build) => <StateMark state={build.state} more={pendingWish(build)} />,
  },
  {
    name: 'Build',
    isRowHead: true,
    className: 'cell-build',
    cell: ({ id, name, variants, note }) => (
      <>
        <Link href={`/builds/${id}`}>{name}</Link> <code className="id">{id}</code>
        {variants.length > 1 && <span className="more"> {variants.length} variants</span>}
        {note !== '' && <span className="note"> {note}</span>}
      </>
    ),
  },
  {
    name: 'What goes on',
    className: 'cell-summary',
    cell: ({ summary, state }) => (summary === state ? '' : summary),
  },
  {
    name: 'Steps',
    className: 'cell-steps',
    cell: ({ steps, state }) => <Progress done={steps.done} total={steps.total} state={state} />,
  },
  {
    name: 'Time',
    isNumber: true,
    className: 'cell-took',
    cell: ({ startedAt, endedAt }) =>
      startedAt === null ? '–' : <Elapsed since={startedAt} until={endedAt} />,
  },
  { name: 'By', className: 'cell-user', cell: ({ user }) => user },
  {
    name: 'Submitted',
    isNumber: true,
    className: 'cell-when',
    cell: ({ endedAt, createdAt }) =>
      endedAt === null ? <Ago at={createdAt} /> : <DateTime at={createdAt} />,
  },
];

function pendingWish({ wish, state }: BuildSummary): string | undefined {
  return wish !== 'run' && (state === 'running' || state === 'waiting') ? `${wish} asked for` : undefined;
}
