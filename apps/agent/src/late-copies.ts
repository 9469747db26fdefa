import type { AreaName } from '#libs/contracts';
import type { ReplicaWait } from './replica-wait.js';

/** The attempts of this agent that are in want of copies of their checkpoints on other agents. */
export class LateCopies {
  readonly #waits = new Map<ReplicaWait, AreaName>();

  add(wait: ReplicaWait, area: AreaName): void {
    this.#waits.set(wait, area);
  }

  delete(wait: ReplicaWait): void {
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
