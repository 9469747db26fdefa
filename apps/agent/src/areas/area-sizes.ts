import { AreaName, MOST_SIZES, type Heartbeat } from '#libs/contracts';
import type { Areas } from '#libs/snapshots';
import type { Logger } from 'pino';

type AreaSize = NonNullable<Heartbeat['sizes']>[number];

/** Jobs that leave an area one behind the other are waited for, so that it is measured once. */
const SETTLE_MS = 500;

/** What areas take, for the coordinator: measured one after the other when it may have changed, and told until it has been heard. */
export class AreaSizes {
  readonly #toMeasure = new Set<AreaName>();
  readonly #untold = new Map<AreaName, number>();
  #isMeasuring = false;
  /** The one that is measured just now. */
  #now: AreaName | null = null;

  constructor(
    private readonly areas: Pick<Areas, 'usedBytes'>,
    private readonly log: Logger,
    private readonly settleMs = SETTLE_MS,
  ) {}

  /** Jobs have left it, or nothing is known of it. */
  changed(name: string): void {
    const area = AreaName.safeParse(name);
    if (!area.success) return;
    this.#toMeasure.add(area.data);
    if (this.#isMeasuring) return;
    this.#isMeasuring = true;
    setTimeout(() => void this.#measureAll(), this.settleMs).unref();
  }

  gone(area: AreaName): void {
    this.#toMeasure.delete(area);
    this.#untold.delete(area);
    if (this.#now === area) this.#now = null;
  }

  /** As many as a heartbeat may tell. */
  untold(): AreaSize[] {
    return [...this.#untold].slice(0, MOST_SIZES).map(([area, usedBytes]) => ({ area, usedBytes }));
  }

  /** The coordinator has heard these. */
  told(sizes: readonly AreaSize[]): void {
    for (const { area, usedBytes } of sizes) {
      // It may have been measured again meanwhile.
      if (this.#untold.get(area) === usedBytes) this.#untold.delete(area);
    }
  }

  async #measureAll(): Promise<void> {
    for (const area of this.#toMeasure) {
      this.#toMeasure.delete(area);
      this.#now = area;
      try {
        const usedBytes = await this.areas.usedBytes(area);
        // Of one that has gone meanwhile, nothing is to be told any more.
        if (this.#now === area && usedBytes > 0) this.#untold.set(area, usedBytes);
      } catch (error) {
        this.log.warn({ err: error, area }, 'the store does not say what an area takes');
      }
    }
    this.#isMeasuring = false;
  }
}
