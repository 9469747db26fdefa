import { useId, useState } from 'react';
import { Link } from 'wouter';
import type { BuildDetail } from '#libs/contracts';
import { comparedSteps } from '../checkpoints/compared-steps.js';
import type { MatrixCell } from './matrix.js';

interface StepComparisonsProps {
  readonly cell: MatrixCell;
  readonly build: BuildDetail;
}

/** Ways to what the step changed, and to how another variant differs in front of it; nothing where no agent holds the states. */
export function StepComparisons({ cell, build }: StepComparisonsProps) {
  const { changed, others } = comparedSteps(build, cell);
  const [chosen, setChosen] = useState<string | null>(null);
  const id = useId();
  const other = others.find(({ variant }) => variant === chosen) ?? others[0];
  if (changed === null && other === undefined) return null;
  return (
    <div className="comparisons">
      {changed !== null && (
        <p>
          <Link href={changed}>What {cell.step.name} changed</Link>
        </p>
      )}
      {other !== undefined && (
        <p>
          <label htmlFor={id}>In front of it, against</label>{' '}
          <select id={id} value={other.variant} onChange={(event) => setChosen(event.target.value)}>
            {others.map(({ variant }) => (
              <option key={variant}>{variant}</option>
            ))}
          </select>{' '}
          <Link href={other.href}>Compare</Link>
        </p>
      )}
    </div>
  );
}
