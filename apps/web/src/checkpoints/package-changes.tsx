import { useState } from 'react';
import type { ReadyDiff } from '#libs/contracts';
import { DataTable, type Column } from '../kit/data-table.js';

type PackageChange = NonNullable<ReadyDiff['packages']>['changes'][number];

/** More than a release of a distribution changes, and no more than a page can have. */
const SHOWN = 100;

/** Packages that came, went, or have another version. */
export function PackageChanges({ of: packages }: { readonly of: ReadyDiff['packages'] }) {
  const [isWhole, setWhole] = useState(false);
  if (packages === null) return null;
  const { changes, counts } = packages;
  const shown = isWhole ? changes : changes.slice(0, SHOWN);
  return (
    <>
      <h2>
        Packages{' '}
        <span className="more">
          {counts.added} added, {counts.removed} removed, {counts.changed} changed,{' '}
          {counts.same.toLocaleString()} the same
        </span>
      </h2>
      {changes.length > 0 && (
        <DataTable
          label="Packages that differ"
          columns={COLUMNS}
          rows={shown}
          keyOf={({ name, architecture }) => `${name}:${architecture}`}
        />
      )}
      {shown.length < changes.length && (
        <button type="button" onClick={() => setWhole(true)}>
          And {(changes.length - shown.length).toLocaleString()} more
        </button>
      )}
    </>
  );
}

const COLUMNS: readonly Column<PackageChange>[] = [
  {
    name: 'Package',
    isRowHead: true,
    cell: ({ name, architecture }) => (
      <>
        {name} <span className="more">{architecture}</span>
      </>
    ),
  },
  {
    name: 'Change',
    cell: ({ from, to }) => (from === null ? 'added' : to === null ? 'removed' : 'changed'),
  },
  { name: 'From', className: 'version', isNamedOnPhone: true, cell: ({ from }) => from ?? '–' },
  { name: 'To', className: 'version', isNamedOnPhone: true, cell: ({ to }) => to ?? '–' },
];
