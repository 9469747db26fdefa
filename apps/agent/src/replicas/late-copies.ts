import type { AreaName } from '#libs/contracts';
import type { Wakeable } from '../wakeable.js';

type Waiting = Pick<Wakeable, 'wake'>;

/** The attempts of this agent that ask for copies of their checkpoints on other agents, and which of them are in want of one. */
export class LateCopies {
  readonly #waits = new Map<Waiting, AreaName | null>();

  /** From now on it is woken when a copy may have come: a hint may be here before the answer that it is for. */
  watch(wait: Waiting): void {
    if (!this.#waits.has(wait)) this.#waits.set(wait, null);
  }

  /** It is in want of one. */
  add(wait: Waiting, area: AreaName): void {
    this.#waits.set(wait, area);
  }

  delete(wait: Waiting): void {
    this.#waits.delete(wait);
  }

  /** Whether checkpoints of the area are to be sent as fast as can be, whatever runs here. */
  has(area: AreaName): boolean {
    return [...this.#waits.values()].includes(area);
  }

  /** One may have come. */
  wake(): void {
    for (const wait of this.#waits.keys()) wait.wake();
  }
}
