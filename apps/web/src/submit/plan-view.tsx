import { memo, useMemo, useState } from 'react';
import type { PlanPreview } from '#libs/contracts';
import { describeFate, describePlan } from '#libs/watch';
import { Link } from 'wouter';
import { Grid } from '../build/grid.js';
import {
  cellTime,
  describePlanCell,
  FATES,
  planTable,
  type PlanCell,
  type PlanLine,
  type PlanTable,
} from './plan-table.js';

/** As on the page of a build. */
const FEW_VARIANTS = 3;

/** What the build would be: the sum, each step of each variant, and what is known of the one where the cursor is. */
export function PlanView({ plan, isOld }: { readonly plan: PlanPreview; readonly isOld: boolean }) {
  const table = useMemo(() => planTable(plan), [plan]);
  const sum = useMemo(() => describePlan(plan.variants), [plan]);
  const [at, setAt] = useState({ line: 0, step: 0 });
  const cell = table.lines[at.line]?.cells[at.step] ?? null;
  return (
    <div className="plan" aria-busy={isOld}>
      <p className="plan-sum" role="status">
        <strong>{sum}</strong>
        {table.lines.length > 1 && <span className="more"> over {table.lines.length} variants</span>}
      </p>
      {plan.notes.length > 0 && (
        <ul className="plan-notes">
          {plan.notes.map((note) => (
            <li key={note}>Note: {note}</li>
          ))}
        </ul>
      )}
      <div className="steps-view">
        {table.lines.length <= FEW_VARIANTS ? (
          <StepsDown table={table} at={at} onMove={setAt} />
        ) : (
          <VariantsDown table={table} at={at} onMove={setAt} />
        )}
        {cell !== null && <CellPanel cell={cell} />}
      </div>
    </div>
  );
}

interface LayoutProps {
  readonly table: PlanTable;
  readonly at: { readonly line: number; readonly step: number };
  readonly onMove: (at: LayoutProps['at']) => void;
}

function StepsDown({ table: { steps, lines }, at, onMove }: LayoutProps) {
  return (
    <Grid
      label="Plan: steps and variants"
      rows={steps.length}
      columns={lines.length}
      isWide
      at={{ row: at.step, column: at.line }}
      onMove={({ row, column }) => onMove({ step: row, line: column })}
      rowHead={(row) => (
        <>
          <b>{steps[row]?.name}</b> <span className="more">{steps[row]?.message}</span>
        </>
      )}
      columnHead={(column) => <LineHead line={lines[column]} />}
      cell={(row, column) => <CellFace cell={lines[column]?.cells[row] ?? null} isWide />}
    />
  );
}

function VariantsDown({ table: { steps, lines }, at, onMove }: LayoutProps) {
  return (
    <Grid
      label="Plan: variants and steps"
      rows={lines.length}
      columns={steps.length}
      at={{ row: at.line, column: at.step }}
      onMove={({ row, column }) => onMove({ line: row, step: column })}
      rowHead={(row) => <LineHead line={lines[row]} />}
      columnHead={(column) => <span title={steps[column]?.message}>{steps[column]?.name}</span>}
      cell={(row, column) => <CellFace cell={lines[row]?.cells[column] ?? null} />}
    />
  );
}

function LineHead({ line }: { readonly line: PlanLine | undefined }) {
  if (line === undefined) return null;
  const { variant, isOptional, running, total } = line;
  return (
    <span title={variant}>
      <b>{variant}</b>
      {isOptional && <span className="more"> (optional)</span>}
      <span className="more">
        {' '}
        {running} of {total} run
      </span>
    </span>
  );
}

interface CellFaceProps {
  readonly cell: PlanCell | null;
  readonly isWide?: boolean;
}

const CellFace = memo(function CellFace({ cell, isWide = false }: CellFaceProps) {
  if (cell === null) return <span className="no-step" aria-label="no such step" role="img" />;
  const { glyph, word, tone } = FATES[cell.step.fate];
  const label = describePlanCell(cell);
  return (
    <span className="step" data-tone={tone} title={label}>
      <span className="hidden">{label}</span>
      <span aria-hidden="true" className="step-face">
        <span className="glyph">{glyph}</span>
        {isWide && <span className="word">{word}</span>}
        {isWide && cell.step.of !== null && <span className="more">{describeFate(cell.step)}</span>}
        <span className="number">{cellTime(cell.step)}</span>
      </span>
    </span>
  );
});

function CellPanel({ cell: { variant, job, step } }: { readonly cell: PlanCell }) {
  const { glyph, word, tone } = FATES[step.fate];
  return (
    <aside className="panel" aria-label={`${step.name} of ${variant}`}>
      <h2>
        {step.name} <span className="more">of {variant}</span>
      </h2>
      <p>{step.message}</p>
      <p>
        <span className="state" data-tone={tone}>
          <span className="glyph" aria-hidden="true">
            {glyph}
          </span>
          {word}
        </span>{' '}
        {step.fate === 'reused' && step.of !== null ? (
          <>
            as in <Link href={`/builds/${step.of}`}>{step.of}</Link>
          </>
        ) : (
          describeFate(step)
        )}
      </p>
      <dl>
        <dt>Lane</dt>
        <dd>
          {job.lane} on {job.architecture}
        </dd>
        <dt>Agents</dt>
        <dd>{job.placement}</dd>
      </dl>
    </aside>
  );
}
