/** How an agent could get a job from where it has it to where another agent does. Positions are those of the job's boundaries, from 1 on; 0 is nothing. */
export interface WayOn {
  readonly here: number;
  readonly there: number;
  /** What the boundary at a position takes to come from there, given the one before it. */
  readonly fetchMs: (position: number) => number;
  /** Of each finished step, from the job's first on; `null`: nobody knows. */
  readonly stepMs: readonly (number | null)[];
  /** What it takes to begin the job from nothing; `null`: it cannot, here. */
  readonly beginMs: number | null;
  /** So many of its first steps are not to run again by choice: a person said where it goes on. */
  readonly ordered: number;
}

/** What is decided for a part of the way: to run its steps again instead of fetching what they made. */
export interface RunAgain {
  /** Up to here it is fetched. */
  readonly from: number;
  readonly steps: number;
  readonly ms: number;
  /** What is not fetched. */
  readonly checkpoints: number;
  readonly fetchMs: number;
}

/** Estimates are no better than that. What was fetched is what ran, bit for bit, so running it again has to be worth it. */
const SAVES_MS = 3_000;
const AT_MOST_SHARE = 0.5;

/**
 * From where on it is cheaper to run finished steps again than to fetch their checkpoints, or `null`: nowhere, so all of it is fetched. A chain of checkpoints comes from
 * its beginning on, so it is the last part of the way that is run again, or all of it.
 */
export function runAgainFrom(way: WayOn): RunAgain | null {
  let best: RunAgain | null = null;
  // What is not fetched, and what runs instead, grow with each position towards the beginning.
  let [ms, fetchMs] = [0, 0];
  for (let from = way.there - 1; from >= Math.max(way.here, lowest(way.ordered)); from -= 1) {
    const more = from === 0 ? way.beginMs : (way.stepMs[from - 1] ?? null);
    if (more === null) break;
    ms += more;
    fetchMs += way.fetchMs(from + 1);
    const saves = best === null ? SAVES_MS : best.fetchMs - best.ms + 1;
    if (fetchMs - ms < saves || ms > fetchMs * AT_MOST_SHARE) continue;
    const steps = way.there - Math.max(1, from);
    best = { from, steps, ms, checkpoints: way.there - from, fetchMs };
  }
  return best;
}

/** The boundary behind the steps that are not to run again. */
function lowest(ordered: number): number {
  return ordered === 0 ? 0 : ordered + 1;
}
