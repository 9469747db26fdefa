import type { UseQueryResult } from '@tanstack/react-query';
import { useEffect, useState, type ReactNode } from 'react';
import { inWords } from '../session/api-failure.js';
import { Failure } from './failure.js';
import { ClockTime } from './moments.js';

const SLOW_MS = 3_000;

interface AnswerProps<T> {
  readonly of: UseQueryResult<T>;
  /** What is being waited for: `the build`. */
  readonly what: string;
  readonly children: (data: T) => ReactNode;
}

/** An answer of the farm, however it comes: not yet, late, not at all, or older than it should be. */
export function Answer<T>({ of, what, children }: AnswerProps<T>) {
  if (of.data === undefined) {
    return of.isError ? (
      <Failure error={of.error} onRetry={() => void of.refetch()} />
    ) : (
      <Waiting what={what} />
    );
  }
  return (
    <>
      {of.isError && (
        <p className="old-data" role="status">
          <strong>
            Old data: {what} as of <ClockTime at={of.dataUpdatedAt} />.
          </strong>{' '}
          {inWords(of.error).message}{' '}
          <button type="button" onClick={() => void of.refetch()}>
            Try again
          </button>
        </p>
      )}
      {children(of.data)}
    </>
  );
}

function Waiting({ what }: { readonly what: string }) {
  const [isSlow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), SLOW_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <p className="waiting" role="status">
      {isSlow ? `The farm takes long to answer; still waiting for ${what}.` : `Loading ${what}…`}
    </p>
  );
}
