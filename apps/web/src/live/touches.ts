import type { FarmEvent } from '#libs/contracts';

/** Events that only say how far something is: what the API answers is the same before and after. */
const CHANGE_NOTHING: ReadonlySet<FarmEvent['type']> = new Set([
  'transfer-progress',
  'stale-report',
  'warning',
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
  if (place === '/agents' || place.startsWith('/agents/') || place === '/checkpoints')
    return event.agent !== null || event.attempt !== null || event.type.startsWith('agent-');
  return false;
}

/** A build may be named by its id, the start of that, or `latest`. */
function couldMean(reference: string | undefined, build: string): boolean {
  return reference === 'latest' || (reference !== undefined && build.startsWith(reference));
}
