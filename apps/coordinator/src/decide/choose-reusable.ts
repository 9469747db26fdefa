import { MOST_REUSABLE } from '#libs/contracts';

/** A state that another job made, on one agent, and that equals one of a job's boundaries. */
export interface EqualState {
  readonly id: string;
  readonly position: number;
  /** Build and variant that it is of. */
  readonly area: string;
  /** Id of the one that it continues; empty for the first of a job. */
  readonly previous: string;
  /** The job's agent holds it. */
  readonly isHere: boolean;
}

/**
 * What an agent is told of: the furthest first, and of one boundary what it holds first. A thousand jobs may have the state in common at which they part, so each boundary has its share: the agent
 * fetches with a state what leads to it, and behind what it holds of the same area only what changed.
 *
 * @param states that it holds or could fetch; of what does not matter otherwise, the first are taken
 */
export function chooseReusable<State extends EqualState>(states: readonly State[]): readonly State[] {
  const positions = [...new Set(states.map(({ position }) => position))].toSorted((a, b) => b - a);
  const share = Math.max(1, Math.floor(MOST_REUSABLE / positions.length));
  const begun = new Set(states.flatMap(({ area, isHere }) => (isHere ? [area] : [])));
  const chosen: State[] = [];
  for (const at of positions) {
    const leading = new Set(chosen.map(({ previous }) => previous));
    const worth = ({ id, area, isHere }: State): number =>
      isHere ? 3 : leading.has(id) ? 2 : begun.has(area) ? 1 : 0;
    const there = uniqueById(states.filter(({ position }) => position === at));
    chosen.push(...there.toSorted((a, b) => worth(b) - worth(a)).slice(0, share));
  }
  return chosen.slice(0, MOST_REUSABLE);
}

/** Several agents may hold the same; what is here is. */
function uniqueById<State extends EqualState>(states: readonly State[]): readonly State[] {
  const hereLast = states.toSorted((a, b) => Number(a.isHere) - Number(b.isHere));
  return [...new Map(hereLast.map((state) => [state.id, state])).values()];
}
