import { memo } from 'react';
import { formatDuration } from '#libs/watch';
import { lookOf } from '../kit/state-looks.js';
import { useNow } from '../live/use-now.js';
import { describeCell, shareOf, tookOf } from './describe-cell.js';
import type { MatrixCell } from './matrix.js';

interface GridCellProps {
  /** `null` where the variant has no such step. */
  readonly cell: MatrixCell | null;
  readonly isWide?: boolean;
}

/** One step of one variant: a shape and a time, in a narrow cell; the word too where there is room. The label says all of it. */
export const GridCell = memo(function GridCell({ cell, isWide = false }: GridCellProps) {
  if (cell === null) return <span className="no-step" aria-label="no such step" role="img" />;
  return cell.mark === 'running' ? (
    <RunningCell cell={cell} isWide={isWide} />
  ) : (
    <CellFace cell={cell} isWide={isWide} now={0} />
  );
});

function RunningCell({ cell, isWide }: { readonly cell: MatrixCell; readonly isWide: boolean }) {
  return <CellFace cell={cell} isWide={isWide} now={useNow()} />;
}

interface CellFaceProps {
  readonly cell: MatrixCell;
  readonly isWide: boolean;
  readonly now: number;
}

function CellFace({ cell, isWide, now }: CellFaceProps) {
  const { step, mark } = cell;
  const { glyph, word, tone } = lookOf(mark);
  const label = describeCell(cell, now);
  const took = tookOf(step, now);
  const share = mark === 'running' ? shareOf(step, now) : null;
  return (
    <span className="step" data-tone={tone} data-mark={mark} title={label}>
      <span className="hidden">{label}</span>
      <span aria-hidden="true" className="step-face">
        <span className="glyph">{glyph}</span>
        {isWide && <span className="word">{word}</span>}
        {took !== null && mark !== 'reused' && <span className="number">{formatDuration(took)}</span>}
        {isWide && step.usualMs !== null && mark === 'running' && (
          <span className="more number">of {formatDuration(step.usualMs)}</span>
        )}
      </span>
      {share !== null && (
        <span
          className="step-share"
          aria-hidden="true"
          style={{ width: `${share * 100}%` }}
          data-over={share >= 1}
        />
      )}
    </span>
  );
}
