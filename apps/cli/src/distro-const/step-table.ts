import type { Plan, ResumableState } from '#libs/plan';
import { resumableSteps } from '#libs/plan';

const NAME_WIDTH = 15;
const DESCRIPTION_WIDTH = 10;
const RESUMABLE = '    X     ';
const NOT_RESUMABLE = ' '.repeat(RESUMABLE.length);

/** The listing of `distro_const build -l`, column by column as distro_const printed it. */
export function stepTable(plan: Plan, state: ResumableState): string {
  const resumable = new Set(resumableSteps(state));
  const rows = plan.steps.map((step) => {
    const flag = resumable.has(step) ? RESUMABLE : NOT_RESUMABLE;
    return step.name.padEnd(NAME_WIDTH) + flag + step.message.padEnd(DESCRIPTION_WIDTH);
  });
  return [
    '',
    'Step           Resumable Description',
    '-------------- --------- -------------',
    ...rows,
    '',
  ].join('\n');
}
