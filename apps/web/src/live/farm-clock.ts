/** A second is lost by the header's form, and some on the way. */
const TOLERANCE_MS = 3_000;

/** The farm's clock: what has begun 5 s ago there has not begun in the future here, nor an hour ago. */
export class FarmClock {
  #ahead = 0;

  constructor(private readonly here: () => number = Date.now) {}

  /** @param date header of an answer that has just come */
  note(date: string | null): void {
    const there = Date.parse(date ?? '');
    if (Number.isNaN(there)) return;
    const ahead = there - this.here();
    this.#ahead = Math.abs(ahead) < TOLERANCE_MS ? 0 : ahead;
  }

  now(): number {
    return this.here() + this.#ahead;
  }
}

export const farmClock = new FarmClock();
