import type { Report, ReportEvent } from '#libs/contracts';
import type { Key } from './model-coordinator.js';

/** What one attempt has to tell, as AttemptSpool keeps it on the agent's disk. */
export class ModelSpool {
  #reports: Report[] = [];
  #lastSeq = 0;
  /** Reports up to this one are on disk whatever happens to the host. */
  #syncedSeq = 0;
  isEnded = false;
  /** Nothing more will be added, as far as this process is concerned. */
  isComplete = false;
  onGrowth: () => void = () => undefined;

  constructor(readonly key: Key) {}

  add(event: ReportEvent): void {
    this.#reports.push({ seq: (this.#lastSeq += 1), at: 0, event });
    this.isEnded ||= event.type === 'ended';
    this.onGrowth();
  }

  complete(): void {
    this.isComplete = true;
    this.onGrowth();
  }

  /** What is to be sent is on disk first. */
  pending(): readonly Report[] {
    this.#syncedSeq = this.#lastSeq;
    return this.#reports;
  }

  acknowledge(seq: number): void {
    this.#reports = this.#reports.filter((report) => report.seq > seq);
  }

  /** What a power failure leaves. */
  loseTail(): void {
    this.#reports = this.#reports.filter(({ seq }) => seq <= this.#syncedSeq);
    this.#lastSeq = this.#syncedSeq;
    this.isEnded = this.#reports.some(({ event }) => event.type === 'ended');
  }
}
