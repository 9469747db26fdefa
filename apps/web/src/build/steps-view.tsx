import { useEffect, useMemo, useRef, useState } from 'react';
import { useSearch } from 'wouter';
import type { WatchModel } from '#libs/watch';
import { lookOf } from '../kit/state-looks.js';
import { Grid } from './grid.js';
import { GridCell } from './grid-cell.js';
import { matrixOf, type Matrix, type MatrixCell } from './matrix.js';
import { StepPanel } from './step-panel.js';

/** With so few variants the steps go down and the variants across: a name of a step has room, on a phone too. */
const FEW_VARIANTS = 3;
const NOTE_PLACE_MS = 250;

interface Place {
  readonly variant: string;
  readonly step: string;
}

/** The matrix of the build, and what is known of the cell where the cursor is. That place is in the address. */
export function StepsView({ model, path }: { readonly model: WatchModel; readonly path: string }) {
  const matrix = useMatrix(model);
  const [place, setPlace] = usePlace(matrix);
  const cell = cellAt(matrix, place);
  return (
    <div className="steps-view">
      {matrix.lines.length <= FEW_VARIANTS ? (
        <StepsDown matrix={matrix} place={place} onMove={setPlace} />
      ) : (
        <VariantsDown matrix={matrix} place={place} onMove={setPlace} />
      )}
      {cell !== null && (
        <StepPanel key={`${cell.job.id} ${cell.step.name}`} cell={cell} build={model.build} path={path} />
      )}
    </div>
  );
}

function useMatrix({ build, transfers }: WatchModel): Matrix {
  const before = useRef<Matrix | null>(null);
  const matrix = useMemo(() => matrixOf({ build, transfers }, before.current), [build, transfers]);
  useEffect(() => {
    before.current = matrix;
  }, [matrix]);
  return matrix;
}

interface LayoutProps {
  readonly matrix: Matrix;
  readonly place: Place;
  readonly onMove: (place: Place) => void;
}

function StepsDown({ matrix: { steps, lines }, place, onMove }: LayoutProps) {
  return (
    <Grid
      label="Steps and variants"
      rows={steps.length}
      columns={lines.length}
      isWide
      at={{
        row: steps.findIndex(({ name }) => name === place.step),
        column: lines.findIndex(({ variant }) => variant === place.variant),
      }}
      onMove={({ row, column }) =>
        onMove({ step: steps[row]?.name ?? '', variant: lines[column]?.variant ?? '' })
      }
      rowHead={(row) => (
        <>
          <b>{steps[row]?.name}</b> <span className="more">{steps[row]?.message}</span>
        </>
      )}
      columnHead={(column) => <VariantHead line={lines[column]} />}
      cell={(row, column) => <GridCell cell={lines[column]?.cells[row] ?? null} isWide />}
    />
  );
}

function VariantsDown({ matrix: { steps, lines }, place, onMove }: LayoutProps) {
  return (
    <Grid
      label="Variants and steps"
      rows={lines.length}
      columns={steps.length}
      at={{
        row: lines.findIndex(({ variant }) => variant === place.variant),
        column: steps.findIndex(({ name }) => name === place.step),
      }}
      onMove={({ row, column }) =>
        onMove({ step: steps[column]?.name ?? '', variant: lines[row]?.variant ?? '' })
      }
      rowHead={(row) => <VariantHead line={lines[row]} />}
      columnHead={(column) => <span title={steps[column]?.message}>{steps[column]?.name}</span>}
      cell={(row, column) => <GridCell cell={lines[row]?.cells[column] ?? null} />}
    />
  );
}

function VariantHead({ line }: { readonly line: Matrix['lines'][number] | undefined }) {
  if (line === undefined) return null;
  const { variant, standing, agents, remark } = line;
  const { glyph, word, tone } = lookOf(standing.state);
  return (
    <span className="variant-head" title={`${variant}: ${word}${remark === '' ? '' : `, ${remark}`}`}>
      <span className="state" data-tone={tone}>
        <span className="glyph" aria-hidden="true">
          {glyph}
        </span>
      </span>{' '}
      <b>{variant}</b>
      <span className="hidden"> {word}</span>
      {standing.isOptional && <span className="more"> (optional)</span>}
      {agents.length > 0 && <span className="more"> on {agents.join(', ')}</span>}
      {agents.length === 0 && remark !== '' && <span className="more"> {remark}</span>}
    </span>
  );
}

function cellAt({ steps, lines }: Matrix, { variant, step }: Place): MatrixCell | null {
  const column = steps.findIndex(({ name }) => name === step);
  return lines.find((line) => line.variant === variant)?.cells[column] ?? null;
}

/** Where the address says, else where something happens. Moves are noted in the address once the cursor rests. */
function usePlace(matrix: Matrix): readonly [Place, (place: Place) => void] {
  const search = useSearch();
  const [place, setPlace] = useState<Place>(() => {
    const asked = new URLSearchParams(search);
    const where = { variant: asked.get('variant') ?? '', step: asked.get('step') ?? '' };
    return cellAt(matrix, where) === null ? whereItHappens(matrix) : where;
  });
  const [hasMoved, setMoved] = useState(false);
  useEffect(() => {
    if (!hasMoved) return undefined;
    const timer = setTimeout(() => {
      const query = new URLSearchParams({ variant: place.variant, step: place.step });
      history.replaceState(history.state, '', `?${query.toString()}`);
    }, NOTE_PLACE_MS);
    return () => clearTimeout(timer);
  }, [place, hasMoved]);
  const move = (next: Place): void => {
    setMoved(true);
    setPlace(next);
  };
  return [place, move];
}

function whereItHappens({ lines }: Matrix): Place {
  const cells = lines.flatMap((line) => line.cells).filter((cell) => cell !== null);
  const found =
    cells.find(({ mark }) => mark === 'failed') ??
    cells.find(({ mark }) => mark === 'running') ??
    cells.find(({ mark }) => mark === 'paused' || mark === 'interrupted') ??
    cells[0];
  return { variant: found?.job.variant ?? '', step: found?.step.name ?? '' };
}
