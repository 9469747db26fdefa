import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { showControls } from '../session/visible-text.js';

interface PageHeadProps {
  readonly title: string;
  /** Beside the title. */
  readonly aside?: ReactNode;
  /** Of the API, below /api/v1: the same as data. `null`: the page has none of its own. */
  readonly json: string | null;
  readonly actions?: ReactNode;
}

/** The head of every page: what it is of, and where its data is. */
export function PageHead({ title: given, aside, json, actions }: PageHeadProps) {
  // It may be of the address, which somebody else may have made.
  const title = showControls(given);
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
