import type { AreaName } from '#libs/contracts';
import type { Wakeable } from '../wakeable.js';

type Waiting = Pick<Wakeable, 'wake'>;

/** The attempts of this agent that are in want of copies of their checkpoints on other agents. */
export class LateCopies {
  readonly #waits = new Map<Waiting, AreaName>();

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
