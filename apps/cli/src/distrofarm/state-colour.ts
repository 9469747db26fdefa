import type { Colours } from './session.js';

/** Of builds, jobs, steps and agents. The word is always there too. */
export function stateColour(colours: Colours, state: string): (text: string) => string {
  switch (state) {
    case 'succeeded':
    case 'idle':
    case 'ok':
      return colours.green;
    case 'failed':
    case 'lost':
    case 'revoked':
      return colours.red;
    case 'paused':
    case 'cancelled':
    case 'interrupted':
    case 'draining':
    case 'drained':
    case 'degraded':
      return colours.yellow;
    case 'running':
    case 'assigned':
    case 'busy':
      return colours.cyan;
    default:
      return colours.dim;
  }
}
