import type { AgentId } from '#libs/contracts';
import { counted, listed, roughDuration } from './amounts.js';
import type { ReplicaLack } from './plan-replicas.js';

export interface LackVerdict {
  /** `coming`: as is to be expected behind a checkpoint. `late`: a job waits for it, or is ahead of it by more. `missing`: nobody can take it. */
  readonly kind: 'coming' | 'late' | 'missing';
  /** One sentence without a period. */
  readonly reason: string;
}

/** How bad it is that a job lacks copies. */
export function judgeLack(lack: ReplicaLack, nameOf: (agent: AgentId) => string, now: number): LackVerdict {
  const { label, missing, receivers, behind, lateSince } = lack;
  const nobody = missing - receivers.length;
  const ahead = behind > 1 ? `, ${counted(behind, 'checkpoint')} behind` : '';
  const inWant =
    lateSince === null ? '' : `; the job has been in want of it for ${roughDuration(now - lateSince)}`;
  const coming = `the copy of ${label} is on its way to ${listed(receivers.map(nameOf))}${ahead}${inWant}`;
  if (nobody > 0) {
    const what = missing === 1 ? 'the copy' : `${nobody} of ${missing} missing copies`;
    const rest = receivers.length > 0 ? `; ${coming}` : ahead;
    return {
      kind: 'missing',
      reason: `no agent can take ${what} of ${label}: it would have to be ready, of the same kind of store, in reach, and with room${rest}`,
    };
  }
  return { kind: behind > 1 || lateSince !== null ? 'late' : 'coming', reason: coming };
}
