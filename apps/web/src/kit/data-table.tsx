import type { ReactNode } from 'react';

export interface Column<Row> {
  readonly name: string;
  /** Said to screen readers only. */
  readonly isUnnamed?: boolean;
  /** Its cell says what the row is of. */
  readonly isRowHead?: boolean;
  readonly isNumber?: boolean;
  /** On a phone, where there is no head, its cell repeats the name. */
  readonly isNamedOnPhone?: boolean;
  readonly className?: string;
  readonly cell: (row: Row) => ReactNode;
}

interface DataTableProps<Row> {
  readonly label: string;
  readonly className?: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
}

/**
 * Every table of the page. Its roles are written out because on a phone its rows are laid out as cards, and what is not displayed as a table is no table
 * to a screen reader otherwise.
 */
export function DataTable<Row>({ label, className, columns, rows, keyOf }: DataTableProps<Row>) {
  return (
    <table role="table" className={className} aria-label={label}>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th key={column.name} role="columnheader" scope="col" className={classOf(column)}>
              {column.isUnnamed === true ? <span className="hidden">{column.name}</span> : column.name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={keyOf(row)} role="row">
            {columns.map((column) => (
              <Cell key={column.name} column={column} row={row} />
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Cell<Row>({ column, row }: { readonly column: Column<Row>; readonly row: Row }) {
  const content = column.cell(row);
  if (column.isRowHead === true)
    return (
      <th role="rowheader" scope="row" className={classOf(column)}>
        {content}
      </th>
    );
  return (
    <td
      role="cell"
      className={classOf(column)}
      data-name={column.isNamedOnPhone === true ? column.name : undefined}
    >
      {content}
    </td>
  );
}

function classOf<Row>({ isNumber, className }: Column<Row>): string | undefined {
  const names = [isNumber === true ? 'number' : '', className ?? ''].filter((name) => name !== '');
  return names.length === 0 ? undefined : names.join(' ');
}
