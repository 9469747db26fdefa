import type { AgentSettings } from '#libs/contracts';
import { ApiError } from '#libs/http-client';
import type { Logger } from 'pino';
import type { CoordinatorLink } from '../link/coordinator-link.js';
import { persistently } from '../link/persistently.js';
import type { AttemptSpool } from './spool.js';
import { Wakeable } from '../wakeable.js';

const MOST_REPORTS = 500;

/** How the delivery of a spool ended. */
export type DeliveryEnd =
  /** The coordinator has all of it. */
  | { readonly kind: 'delivered' }
  /** The coordinator does not want the reports: another agent has the job, or it is over. The log it has, unless it refused that too. */
  | { readonly kind: 'refused'; readonly error: ApiError }
  /** The process is to end; what is left is in the spool. */
  | { readonly kind: 'aborted' };

export interface DeliveryOptions {
  readonly link: CoordinatorLink;
  readonly settings: () => AgentSettings;
  readonly log: Logger;
}

/** Brings a spool's reports and log to the coordinator, in order, while more is added. The network never holds up whoever adds. */
export class Delivery {
  readonly #reports = new Wakeable();
  readonly #logGrowth = new Wakeable();
  readonly #gathering = new Wakeable();
  #isComplete: boolean;

  /** @param isComplete nothing will be added: the spool is one that an earlier process left */
  constructor(
    readonly spool: AttemptSpool,
    private readonly options: DeliveryOptions,
    isComplete = false,
  ) {
    this.#isComplete = isComplete;
  }

  /** There is a new report. */
  nudge(): void {
    this.#reports.wake();
  }

  /** The log has grown. */
  nudgeLog(): void {
    this.#logGrowth.wake();
  }

  /** Nothing more will be added. */
  complete(): void {
    this.#isComplete = true;
    this.#reports.wake();
    this.#logGrowth.wake();
    this.#gathering.wake();
  }

  /**
   * Runs until everything is delivered, or it is refused or aborted. Does not throw for what the network does.
   *
   * @param onRefused told at once when it is refused; where only the reports are, the log goes on to come until `complete`
   */
  async run(signal: AbortSignal, onRefused: (error: ApiError) => void = () => {}): Promise<DeliveryEnd> {
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    let refusal = null as ApiError | null;
    const reports = this.#deliverReports(either).catch((error: unknown) => {
      if (!(error instanceof ApiError) || isOfAgent(error)) throw error;
      refusal = error;
      onRefused(error);
    });
    const both = [reports, this.#deliverLog(either)];
    try {
      await Promise.all(both);
      return refusal === null ? { kind: 'delivered' } : { kind: 'refused', error: refusal };
    } catch (error) {
      failed.abort();
      await Promise.allSettled(both);
      if (signal.aborted) return { kind: 'aborted' };
      if (!(error instanceof ApiError)) throw error;
      if (isOfAgent(error)) return { kind: 'aborted' };
      if (refusal === null) onRefused(error);
      return { kind: 'refused', error: refusal ?? error };
    }
  }

  async #deliverReports(signal: AbortSignal): Promise<void> {
    const { link, log } = this.options;
    for (;;) {
      const wasComplete = this.#isComplete;
      const reports = this.spool.pending(MOST_REPORTS);
      if (reports.length > 0) {
        await this.spool.sync();
        const acknowledged = await persistently(
          () => link.reports(this.spool.key, reports, signal),
          signal,
          (error) => log.warn({ err: error }, 'reports wait for the coordinator'),
        );
        this.spool.acknowledge(acknowledged);
        continue;
      }
      if (wasComplete) return;
      await this.#reports.wait(null, signal);
      signal.throwIfAborted();
    }
  }

  /** By offset: the coordinator's answer is where to go on. */
  async #deliverLog(signal: AbortSignal): Promise<void> {
    // Of a spool that an earlier process left, some may be there.
    let isKnown = !this.#isComplete;
    for (let offset = 0; ;) {
      const { logFlushMs, logChunkBytes } = this.options.settings();
      const wasComplete = this.#isComplete;
      const size = await this.spool.logBytes();
      if (size > offset) {
        offset = await this.#sendLog(offset, Math.min(size - offset, logChunkBytes), isKnown, signal);
        isKnown = true;
        // What is left goes at once when it is much, else together with what comes soon.
        if (size - offset < logChunkBytes) await this.#gather(logFlushMs, signal);
        continue;
      }
      if (wasComplete) return;
      await this.#logGrowth.wait(null, signal);
      signal.throwIfAborted();
      await this.#gather(logFlushMs, signal);
    }
  }

  /** Resolves to where to go on. Where it is not known how much the coordinator has, that is asked first: a body that broke off may be there in part. */
  async #sendLog(offset: number, length: number, isKnown: boolean, signal: AbortSignal): Promise<number> {
    const { link, log } = this.options;
    const { key } = this.spool;
    let isFirst = true;
    return await persistently(
      async () => {
        const at = isKnown && isFirst ? offset : await link.log(key, offset, null, signal);
        isFirst = false;
        if (at !== offset) return at;
        return await link.log(key, at, { content: this.spool.readLog(at, length), length }, signal);
      },
      signal,
      (error) => log.warn({ err: error }, 'the log waits for the coordinator'),
    );
  }

  /** Lets lines gather for a moment, but not when nothing more will come. */
  async #gather(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#isComplete) return;
    await this.#gathering.wait(ms, signal);
    signal.throwIfAborted();
  }
}

/** Not the attempt is refused, but the agent: whoever enrols it again delivers the rest. */
function isOfAgent({ status }: ApiError): boolean {
  return status === 401 || status === 403;
}
