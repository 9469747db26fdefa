import { inWords } from '../session/api-failure.js';
import { NotReached, Refused } from '../session/api-failure.js';

/** What went wrong, and what to do next. */
export function Failure({ error, onRetry }: { readonly error: unknown; readonly onRetry?: () => void }) {
  const { message, hint } = inWords(error);
  const canRetry = onRetry !== undefined && (error instanceof NotReached || error instanceof Refused);
  return (
    <div className="failure" role="alert">
      <p>
        <strong>{message}</strong>
      </p>
      {hint !== null && <p>{hint}</p>}
      {error instanceof Refused && error.problems.length > 0 && (
        <ul>
          {error.problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      )}
      {canRetry && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
