import type { AgentChange } from '#libs/contracts';

const WORDS: Readonly<Record<AgentChange['what'], string>> = {
  enrolled: 'enrolled',
  started: 'started',
  lost: 'lost',
  'came-back': 'came back',
  drained: 'drained',
  undrained: 'undrained',
  paused: 'paused',
  unpaused: 'unpaused',
  quarantined: 'put in quarantine',
  revoked: 'revoked',
};

/** `paused by ada: new firmware`. When a pause ends is for whoever knows the reader's time. */
export function describeAgentChange({ what, by, why }: Pick<AgentChange, 'what' | 'by' | 'why'>): string {
  return `${WORDS[what]}${by === '' ? '' : ` by ${by}`}${why === '' ? '' : `: ${why}`}`;
}
