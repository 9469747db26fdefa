// Looking up a global costs much where jest runs this.
const { floor, imul } = Math;

/** Numbers that look random, the same each time for a seed (mulberry32). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  between(low: number, high: number): number {
    return floor(low + this.next() * (high - low));
  }
}

interface Due {
  readonly at: number;
  readonly order: number;
  readonly happen: () => void;
}

/** Time that passes only from one thing that is due to the next. What is due at one moment happens in the order in which it was planned. */
export class VirtualTime {
  readonly #heap: Due[] = [];
  #order = 0;
  #now: number;

  constructor(start: number) {
    this.#now = start;
  }

  get now(): number {
    return this.#now;
  }

  after(ms: number, happen: () => void): void {
    const due = { at: this.#now + ms, order: (this.#order += 1), happen };
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt]!;
      if (isBefore(parent, due)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = due;
  }

  /** Lets the next thing happen; false: nothing is planned. */
  step(): boolean {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined) return false;
    if (last !== first) this.#sink(last);
    this.#now = first.at;
    first.happen();
    return true;
  }

  #sink(due: Due): void {
    const heap = this.#heap;
    for (let at = 0; ;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const isRight = left !== undefined && right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (child === undefined || isBefore(due, child)) {
        heap[at] = due;
        return;
      }
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

type Start = (resume: (value: unknown) => void) => void;
/** A course of action that waits: written as it reads, and dropped where its process dies. */
export type Program<T = void> = Generator<Start, T, unknown>;

/** Waits until `resume` is called. */
export function* until<T>(start: (resume: (value: T) => void) => void): Program<T> {
  return (yield start) as T;
}

/** Runs until its end, or until it is not alive any more when it is to go on. */
export function run(program: Program, isAlive: () => boolean): void {
  const goOn = (value: unknown): void => {
    if (!isAlive()) return;
    const { done, value: start } = program.next(value);
    if (done !== true) start(goOn);
  };
  goOn(undefined);
}
