import type { Plan, ResumableState } from '#libs/plan';
import { resumableSteps } from '#libs/plan';

const NAME_WIDTH = 15;
const DESCRIPTION_WIDTH = 10;
const RESUMABLE = '    X     ';
const NOT_RESUMABLE = ' '.repeat(RESUMABLE.length);

export interface ListedStep {
  readonly name: string;
  readonly message: string;
  readonly resumable: boolean;
}

/** The listing of `distro_const build -l`, column by column as distro_const printed it. */
export function stepTable(plan: Plan, state: ResumableState): string {
  const resumable = new Set(resumableSteps(state));
  return stepLines(plan.steps.map((step) => ({ ...step, resumable: resumable.has(step) })));
}

export function stepLines(steps: readonly ListedStep[]): string {
  const rows = steps.map(({ name, message, resumable }) => {
    return (
      name.padEnd(NAME_WIDTH) + (resumable ? RESUMABLE : NOT_RESUMABLE) + message.padEnd(DESCRIPTION_WIDTH)
    );
  });
  return [
    '',
    'Step           Resumable Description',
    '-------------- --------- -------------',
    ...rows,
    '',
  ].join('\n');
}
