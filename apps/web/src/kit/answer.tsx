import type { UseQueryResult } from '@tanstack/react-query';
import { useEffect, useState, type ReactNode } from 'react';
import { inWords } from '../session/api-failure.js';
import { showControls } from '../session/visible-text.js';
import { Failure } from './failure.js';
import { ClockTime } from './moments.js';

const SLOW_MS = 3_000;

interface AnswerProps<T> {
  readonly of: Pick<
    UseQueryResult<T>,
    'data' | 'isError' | 'error' | 'failureReason' | 'dataUpdatedAt' | 'refetch'
  >;
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
      <Waiting what={what} failure={of.failureReason} />
    );
  }
  return (
    <>
      {of.isError && (
        <p className="old-data" role="status">
          <strong>
            Old data: {showControls(what)} as of <ClockTime at={of.dataUpdatedAt} />.
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

interface WaitingProps {
  readonly what: string;
  /** Of the last try; `null` while the first is under way. */
  readonly failure: unknown;
}

function Waiting({ what, failure }: WaitingProps) {
  const [isSlow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), SLOW_MS);
    return () => clearTimeout(timer);
  }, []);
  const thing = showControls(what);
  return (
    <p className="waiting" role="status">
      {failure !== null
        ? `${inWords(failure).message} Trying again; still waiting for ${thing}.`
        : isSlow
          ? `The farm takes long to answer; still waiting for ${thing}.`
          : `Loading ${thing}…`}
    </p>
  );
}
