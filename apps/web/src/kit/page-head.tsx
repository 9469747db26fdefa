import type { ReactNode } from 'react';
import { Link } from 'wouter';

interface PageHeadProps {
  readonly title: string;
  /** Beside the title. */
  readonly aside?: ReactNode;
  /** Of the API, below /api/v1: the same as data. `null`: the page has none of its own. */
  readonly json: string | null;
  readonly actions?: ReactNode;
}

/** The head of every page: what it is of, and where its data is. */
export function PageHead({ title, aside, json, actions }: PageHeadProps) {
  return (
    <header className="page-head">
      <title>{`${title} · distrofarm`}</title>
      <h1>{title}</h1>
      {aside}
      <div className="spread" />
      {actions}
      {json !== null && (
        <Link href={`/json${json}`} className="json-link">
          JSON
        </Link>
      )}
    </header>
  );
}
