import type { Random } from './random.js';

/** When which fault is injected. What it does in detail is decided by its own seed, so it does the same whichever others are left out. */
export interface PlannedFault {
  readonly fault: string;
  readonly afterMs: number;
  readonly seed: string;
}

export interface Mix {
  readonly seed: string;
  readonly builds: number;
  /** Between two submissions. */
  readonly submitEveryMs: number;
  readonly faults: readonly PlannedFault[];
}

export interface MixSize {
  readonly builds: number;
  readonly faults: number;
  /** In which all of both begin. */
  readonly withinMs: number;
}

/** Each name's turn comes before any has its second. */
export function planMix(random: Random, names: readonly string[], size: MixSize): Mix {
  const turns = shuffled(random.fork('turns'), names);
  const faults = Array.from({ length: size.faults }, (_, index) => ({
    fault: turns[index % turns.length]!,
    afterMs: random.between(0, size.withinMs),
    seed: random.fork(index).seed,
  }));
  return {
    seed: random.seed,
    builds: size.builds,
    submitEveryMs: Math.floor(size.withinMs / size.builds),
    faults: faults.toSorted((a, b) => a.afterMs - b.afterMs),
  };
}

function shuffled<T>(random: Random, values: readonly T[]): readonly T[] {
  return values
    .map((value) => ({ value, place: random.next() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ value }) => value);
}
