import type { ReportEvent } from '#libs/contracts';
import { decodeFacts, type Checkpoint } from '#libs/plan';
import type { BuildEvent } from '#libs/engine';
import type { AttemptLog } from './attempt-log.js';

/** What the loop reports, in the words of the attempt's log. */
export function logEvent(log: AttemptLog, event: BuildEvent): void {
  switch (event.type) {
    case 'job-started':
      return log.note('-', `lane ${event.job.lane} in ${event.job.workspace}`);
    case 'output-imported':
      return log.note('-', `${event.path} imported from lane ${event.lane}, sha256 ${event.digest}`);
    case 'job-reused':
      return log.note('-', `lane ${event.job.lane} as in checkpoint ${event.checkpoint.label}`);
    case 'resumed':
      return log.note(event.before.name, `resumed from checkpoint ${event.checkpoint.label}`);
    case 'step-started':
      return log.note(event.step.name, `==== ${event.step.name}: ${event.step.message}`);
    case 'step-ended':
      log.endOfStep(event.step.name);
      return log.note(event.step.name, `${event.step.name} ${JSON.stringify(event.outcome)}`);
    case 'checkpoint-taken': {
      const { boundary, checkpoint } = event;
      return log.note(boundary.before?.name ?? '-', `checkpoint ${checkpoint.label} (${checkpoint.id})`);
    }
  }
}

/** The same in the words of the protocol; `null`: not told. */
export function reportOf(event: BuildEvent): ReportEvent | null {
  switch (event.type) {
    case 'job-started':
    case 'job-reused':
      return null;
    case 'output-imported':
      return { type: 'output-imported', lane: event.lane, path: event.path, treeSha256: event.digest };
    case 'resumed':
      return { type: 'resumed', before: event.before.index, checkpoint: event.checkpoint.id };
    case 'step-started':
      return { type: 'step-started', step: event.step.index };
    case 'step-ended':
      return { type: 'step-ended', step: event.step.index, outcome: event.outcome };
    case 'checkpoint-taken': {
      const holding = holdingOf(event.checkpoint);
      if (holding === null) throw new TypeError('a checkpoint was taken without its facts');
      return { type: 'checkpoint-taken', before: event.boundary.before?.index ?? null, holding };
    }
  }
}

export type Held = Extract<ReportEvent, { type: 'checkpoint-taken' }>['holding'];

/** `null`: its facts cannot be read, so it is not resumed from. */
export function holdingOf({ id, workspace, label, facts }: Checkpoint): Held | null {
  const decoded = decodeFacts(facts);
  if (decoded === null) return null;
  const takenAt = Date.parse(decoded.takenAt);
  if (Number.isNaN(takenAt)) return null;
  const { build: lineage, previous, key } = decoded;
  return { id, lineage, workspace, label, previous, takenAt, ...(key === '' ? {} : { key }) };
}
