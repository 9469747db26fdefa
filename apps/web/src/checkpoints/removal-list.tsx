import type { CollectionReport, DropReport } from '#libs/contracts';
import { formatBytes } from '#libs/watch';
import { DataTable, type Column } from '../kit/data-table.js';
import { sizeOfAreas } from './describe-node.js';

type Removal = CollectionReport['removals'][number];

interface RemovalListProps {
  readonly removals: readonly Removal[];
  readonly refused?: DropReport['refused'];
}

/** What goes, what it makes, and what stays for which reason. */
export function RemovalList({ removals, refused = [] }: RemovalListProps) {
  const bytes = removals.reduce((sum, { usedBytes }) => sum + (usedBytes ?? 0), 0);
  const isUnknown = removals.some(({ usedBytes }) => usedBytes === null);
  return (
    <>
      {removals.length === 0 ? (
        <p className="none">Nothing would go.</p>
      ) : (
        <>
          <DataTable
            label="What would go"
            columns={COLUMNS}
            rows={removals}
            keyOf={({ agent, build, variant }) => `${agent} ${build} ${variant}`}
          />
          <p>
            {formatBytes(bytes)} would be free then{isUnknown && ', and what was not measured yet'}.
          </p>
        </>
      )}
      {refused.length > 0 && (
        <ul className="refused" aria-label="What stays">
          {refused.map(({ agent, agentName, build, variant, why }) => (
            <li key={`${agent} ${build} ${variant}`}>
              {build} {variant} on {agentName} stays: {why}.
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

const COLUMNS: readonly Column<Removal>[] = [
  { name: 'Build', isRowHead: true, cell: ({ build }) => build },
  { name: 'Variant', cell: ({ variant }) => variant },
  { name: 'Agent', cell: ({ agentName }) => agentName },
  { name: 'Takes', isNumber: true, cell: ({ usedBytes }) => sizeOfAreas(usedBytes) },
  { name: 'As', cell: ({ as }) => as },
  { name: 'Why', cell: ({ why }) => why },
];
