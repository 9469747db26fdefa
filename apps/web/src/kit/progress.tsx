import { lookOf, type ShownState } from './state-looks.js';

interface ProgressProps {
  readonly done: number;
  readonly total: number;
  readonly state: ShownState;
}

/** `12/20`, and a bar of that share. */
export function Progress({ done, total, state }: ProgressProps) {
  return (
    <span className="progress" data-tone={lookOf(state).tone}>
      <span className="bar" aria-hidden="true">
        <span style={{ width: `${total === 0 ? 0 : (100 * done) / total}%` }} />
      </span>
      <span className="number">
        {done}/{total}
      </span>
      <span className="hidden"> steps done</span>
    </span>
  );
}
