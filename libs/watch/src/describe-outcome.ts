import type { StepOutcome } from '#libs/contracts';

/** One sentence part, as in "im-pop exited with status 3". */
export function describeOutcome(outcome: StepOutcome): string {
  switch (outcome.kind) {
    case 'succeeded':
      return 'succeeded';
    case 'exited':
      return `exited with status ${outcome.status}`;
    case 'killed':
      return `was terminated by signal ${outcome.signal}`;
    case 'timed-out':
      return `ran longer than its limit of ${outcome.limitSeconds} s`;
    case 'silent':
      return `wrote nothing for ${outcome.limitSeconds} s, its limit`;
    case 'interrupted':
      return `was interrupted (${outcome.reason})`;
    case 'not-started':
      return `could not be started: ${outcome.reason}`;
    case 'out-of-space':
      return `was stopped: ${outcome.report}`;
  }
}
