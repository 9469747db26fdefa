import type { AttemptEnd, FarmEvent } from '#libs/contracts';
import type { Operation } from '../history.js';
import type { Evidence, Violation } from './evidence.js';

export function* everySubmissionEnds({ operations, builds, events }: Evidence): Iterable<Violation> {
  const wrong = (text: string, build: string | null): Violation => ({ invariant: 1, text, build });
  const submissions = operations.filter(({ name }) => name === 'submit');
  const buildsOf = new Map<unknown, Set<string>>();
  for (const { phase, build, data } of submissions) {
    if (phase !== 'ok' || build === null) continue;
    buildsOf.set(data['key'], (buildsOf.get(data['key']) ?? new Set()).add(build));
  }
  for (const [key, ids] of buildsOf) {
    if (ids.size > 1) yield wrong(`submission ${String(key)} became ${[...ids].join(' and ')}`, null);
  }
  const asked = new Set(submissions.map(({ data }) => data['key']));
  for (const { detail } of builds) {
    if (!asked.has(detail.note)) yield wrong('nobody submitted it', detail.id);
  }
  const known = new Map(builds.map(({ detail }) => [detail.id as string, detail]));
  for (const id of new Set([...buildsOf.values()].flatMap((ids) => [...ids]))) {
    const detail = known.get(id);
    if (detail === undefined) yield wrong('it was acknowledged, and the farm does not know it', id);
    else if (detail.state !== 'succeeded') yield wrong(`it is ${detail.state}: ${detail.summary}`, id);
    const ends = events.filter(
      ({ type, build, data }) => type === 'build-ended' && build === id && data['state'] === 'succeeded',
    );
    if (detail?.state === 'succeeded' && ends.length !== 1) yield wrong(`it ended ${ends.length} times`, id);
  }
  yield* nothingFailsByItself(operations, events);
}

/** Steps of the toy image do what they are told: only a full disk makes one fail, and a fault that does just that. What the farm itself does wrong it may try again, or give up. */
function* nothingFailsByItself(
  operations: readonly Operation[],
  events: readonly FarmEvent[],
): Iterable<Violation> {
  const mayFail = operations
    .filter(({ name }) => name === 'disk-full' || name === 'step-fails')
    .map(({ wall }) => wall);
  for (const { type, data, build, at } of events) {
    const end = data['end'] as AttemptEnd | undefined;
    if (type !== 'job-ended' || (end?.kind !== 'failed' && end?.kind !== 'output')) continue;
    // Those before the first operation are an earlier mix's.
    if (at < (operations[0]?.wall ?? 0) || mayFail.some((wall) => wall <= at)) continue;
    yield { invariant: 1, text: `a step failed: ${JSON.stringify(end)}`, build };
  }
}
