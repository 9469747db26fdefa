import { LISTING_TERM_MS, type ListingAsk, type ListingFailure } from '#libs/contracts';
import { SnapshotStoreError } from '#libs/engine';
import { ApiError } from '#libs/http-client';
import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { AreaDesk } from '../areas/area-desk.js';
import type { CoordinatorLink } from '../link/coordinator-link.js';
import { persistently } from '../link/persistently.js';
import { Wakeable } from '../wakeable.js';
import { writeListing } from './write-listing.js';

export interface ListingKeeperOptions {
  readonly link: Pick<CoordinatorLink, 'takeListing' | 'answerListing' | 'failListing'>;
  readonly desk: Pick<AreaDesk, 'read'>;
  readonly stateFolder: string;
  readonly log: Logger;
}

/** Hints say when there is something; who missed one asks by himself after so long. */
const ASK_AGAIN_MS = 300_000;
/** Somebody else may be asked when the term is over. */
const MARGIN_MS = 15_000;

/**
 * Says what is in checkpoints that this agent holds, so that they can be compared: one at a time, beside the jobs that run here and without a slot of theirs. What it took and does not answer, another
 * agent gets that holds the same.
 */
export class ListingKeeper {
  readonly #wakeable = new Wakeable();
  readonly #folder: string;

  constructor(private readonly options: ListingKeeperOptions) {
    this.#folder = join(options.stateFolder, 'listings');
  }

  wake(): void {
    this.#wakeable.wake();
  }

  /** Until aborted. Nothing is under way any more when it resolves. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const ask = await this.#take(signal);
      if (ask === null) await this.#wakeable.wait(ASK_AGAIN_MS, signal);
      else await this.#answer(ask, signal);
    }
  }

  async #take(signal: AbortSignal): Promise<ListingAsk | null> {
    const { link, log } = this.options;
    try {
      return await link.takeListing(signal);
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'the coordinator does not say which checkpoints to list');
      return null;
    }
  }

  /** Never throws. An agent that ends does not answer. */
  async #answer(ask: ListingAsk, signal: AbortSignal): Promise<void> {
    const { link, log } = this.options;
    const file = join(this.#folder, 'listing');
    const late = AbortSignal.timeout(LISTING_TERM_MS - MARGIN_MS);
    const inTerm = AbortSignal.any([signal, late]);
    try {
      await rm(this.#folder, { recursive: true, force: true });
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const { area, checkpoint } = ask;
      const written = await this.options.desk.read(
        { area, checkpoint },
        async (tree, mayRead) => await writeListing(tree, file, AbortSignal.any([inTerm, mayRead])),
      );
      log.info({ ask: ask.ask, area, checkpoint, ...written }, 'checkpoint listed');
      const send = async (): Promise<void> =>
        link.answerListing(ask.ask, written, createReadStream(file), inTerm);
      await persistently(send, inTerm);
    } catch (error) {
      const cause = late.aborted ? new Error(`it took longer than ${LISTING_TERM_MS - MARGIN_MS} ms`) : error;
      if (!signal.aborted) await this.#fail(ask, cause, signal);
    } finally {
      await rm(this.#folder, { recursive: true, force: true });
    }
  }

  async #fail({ ask }: ListingAsk, error: unknown, signal: AbortSignal): Promise<void> {
    const { link, log } = this.options;
    log.warn({ err: error, ask }, 'checkpoint not listed');
    if (error instanceof ApiError) return;
    try {
      await link.failListing(ask, failureOf(error), signal);
    } catch (failed) {
      if (!signal.aborted) log.warn({ err: failed, ask }, 'the coordinator does not hear of it');
    }
  }
}

function failureOf(error: unknown): ListingFailure {
  const isGone = error instanceof SnapshotStoreError && error.code === 'NOT_FOUND';
  const reason = error instanceof Error ? error.message : String(error);
  return { kind: isGone ? 'gone' : 'unable', reason: reason.slice(0, 4000) };
}
