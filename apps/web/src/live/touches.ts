import type { FarmEvent } from '#libs/contracts';

/** Events that only say how far something is: what the API answers is the same before and after. */
const CHANGE_NOTHING: ReadonlySet<FarmEvent['type']> = new Set([
  'transfer-progress',
  'stale-report',
  'warning',
]);

/** Events after which agents hold something else, somebody keeps something else, or it is in use by others. */
const CHANGE_CHECKPOINTS: ReadonlySet<FarmEvent['type']> = new Set([
  'build-submitted',
  'build-ended',
  'resumed',
  'state-reused',
  'job-reused',
  'job-assigned',
  'job-ended',
  'checkpoint-taken',
  'checkpoint-fetched',
  'checkpoint-replicated',
  'checkpoints-dropped',
  'checkpoints-pinned',
  'checkpoints-unpinned',
  'agent-connected',
  'agent-lost',
  'agent-revoked',
]);

/** Whether the answer at a path of the API may be another one after the event. */
export function touches(event: FarmEvent, path: string): boolean {
  if (CHANGE_NOTHING.has(event.type)) return false;
  const [place = ''] = path.split('?');
  // It is read from many events, and only such a one adds to it.
  if (place.endsWith('/takeovers') && event.type !== 'resumed') return false;
  if (place === '/builds') return event.build !== null;
  if (place.startsWith('/builds/'))
    return event.build !== null && couldMean(place.split('/')[2], event.build);
  if (place.startsWith('/checkpoints')) return CHANGE_CHECKPOINTS.has(event.type);
  if (place === '/agents' || place.startsWith('/agents/'))
    return event.agent !== null || event.attempt !== null || event.type.startsWith('agent-');
  return false;
}

/** A build may be named by its id, the start of that, or `latest`. */
function couldMean(reference: string | undefined, build: string): boolean {
  return reference === 'latest' || (reference !== undefined && build.startsWith(reference));
}
