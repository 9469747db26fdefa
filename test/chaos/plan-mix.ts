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
  readonly faults: readonly PlannedFault[];
}

export interface MixSize {
  readonly builds: number;
  readonly faults: number;
  /** In which all of them begin. */
  readonly withinMs: number;
}

export function planMix(random: Random, names: readonly string[], size: MixSize): Mix {
  const faults = Array.from({ length: size.faults }, (_, index) => ({
    fault: random.pick(names),
    afterMs: random.between(0, size.withinMs),
    seed: random.fork(index).seed,
  }));
  return {
    seed: random.seed,
    builds: size.builds,
    faults: faults.toSorted((a, b) => a.afterMs - b.afterMs),
  };
}
