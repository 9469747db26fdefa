import type { Operation } from '../history.js';
import type { Evidence, Violation } from './evidence.js';

export function* inTime({ operations, events, limits }: Evidence): Iterable<Violation> {
  for (const { name, data, phase } of operations) {
    const ms = Number(data['ms']);
    if (name === 'recover' && phase !== 'invoke' && !(phase === 'ok' && ms <= limits.recoverMs))
      yield {
        invariant: 10,
        text: `everything worked again, and builds went on for ${Math.round(ms / 1000)} s`,
        build: null,
      };
  }
  for (const { wall, build } of operations.filter(({ name, phase }) => name === 'cancel' && phase === 'ok')) {
    if (isDisturbed(operations, wall, limits.cancelMs)) continue;
    const ended = events.find(
      (event) => event.type === 'build-ended' && event.build === build && event.at >= wall,
    );
    if (ended === undefined || ended.at - wall > limits.cancelMs)
      yield { invariant: 10, text: `cancelled, and not at rest ${limits.cancelMs} ms later`, build };
  }
}

/** Whether any other fault was at work in that time. */
function isDisturbed(operations: readonly Operation[], from: number, ms: number): boolean {
  const open = new Set<unknown>();
  for (const { actor, phase, wall, data, name } of operations) {
    if (actor !== 'chaos' || wall > from + ms || name === 'recover' || name.startsWith('user-')) continue;
    if (phase === 'invoke') open.add(data['fault']);
    else if (wall < from) open.delete(data['fault']);
  }
  return open.size > 0;
}
