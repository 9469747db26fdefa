import { MOST_FINGERPRINTS, type AskId, type FingerprintAnswer, type FingerprintAsk } from '#libs/contracts';
import { ApiError } from '#libs/http-client';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { loadVariant } from '../attempts/load-assignment.js';
import type { Bundles } from '../attempts/bundles.js';
import type { BlobCache } from '../blobs/blob-cache.js';
import type { CoordinatorLink } from '../link/coordinator-link.js';
import { persistently } from '../link/persistently.js';
import { Wakeable } from '../wakeable.js';
import { askFingerprint, type StepSurroundings } from './ask-fingerprint.js';

export interface FingerprintKeeperOptions extends StepSurroundings {
  readonly link: Pick<CoordinatorLink, 'takeFingerprints' | 'answerFingerprint' | 'askedBlob'>;
  readonly blobs: Pick<BlobCache, 'use'>;
  readonly bundles: Pick<Bundles, 'open'>;
  readonly log: Logger;
}

/** Hints say when there is something; who missed one asks by himself after so long. */
const ASK_AGAIN_MS = 300_000;

/** Runs fingerprint commands for the coordinator, beside the jobs that run here and without a slot of theirs. What it took and does not answer, another agent gets. */
export class FingerprintKeeper {
  readonly #wakeable = new Wakeable();
  readonly #underWay = new Map<AskId, Promise<void>>();

  constructor(private readonly options: FingerprintKeeperOptions) {}

  wake(): void {
    this.#wakeable.wake();
  }

  /** Until aborted. Nothing is under way any more when it resolves. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#take(signal);
      await this.#wakeable.wait(ASK_AGAIN_MS, signal);
    }
    await Promise.all(this.#underWay.values());
  }

  async #take(signal: AbortSignal): Promise<void> {
    const { link, log } = this.options;
    const most = MOST_FINGERPRINTS - this.#underWay.size;
    if (most <= 0) return;
    try {
      const { asks } = await link.takeFingerprints({ most }, signal);
      for (const ask of asks) this.#begin(ask, signal);
    } catch (error) {
      if (!signal.aborted)
        log.warn({ err: error }, 'the coordinator does not say which fingerprints to ask for');
    }
  }

  #begin(ask: FingerprintAsk, signal: AbortSignal): void {
    const done = this.#answer(ask, signal).finally(() => {
      this.#underWay.delete(ask.ask);
      // There may be more than were given at once.
      this.wake();
    });
    this.#underWay.set(ask.ask, done);
  }

  /** Never throws. An agent that ends does not answer. */
  async #answer(ask: FingerprintAsk, signal: AbortSignal): Promise<void> {
    const { link, log } = this.options;
    const { ask: id, step } = ask;
    try {
      const answer = await this.#find(ask, signal);
      if (answer === null) return;
      log.info({ ask: id, step, answer }, 'fingerprint');
      await persistently(() => link.answerFingerprint(id, answer, signal), signal);
    } catch (error) {
      if (signal.aborted) return;
      const isAnothers = error instanceof ApiError && error.status < 500;
      log.warn({ err: error, ask: id, step }, isAnothers ? 'the answer came too late' : 'no fingerprint');
    }
  }

  /** `null`: it was interrupted. */
  async #find(ask: FingerprintAsk, signal: AbortSignal): Promise<FingerprintAnswer | null> {
    const { link, blobs, bundles, log } = this.options;
    const inputs = blobs.use(
      async (sha256, offset) => await link.askedBlob(sha256, offset, signal),
      async (call) => await persistently(call, signal),
      signal,
    );
    try {
      const bundle = await bundles.open(ask, inputs.get);
      const { manifest, plan } = await loadVariant(ask, bundle, join(bundle, ask.manifestPath));
      const step = plan.steps.find(({ name }) => name === ask.step);
      if (step === undefined) return { kind: 'unable', reason: `the manifest has no step "${ask.step}"` };
      const { sourceDateEpoch } = ask;
      const note = (text: string): void => log.info({ ask: ask.ask, step: step.name }, text);
      const result = await askFingerprint({ manifest, step, sourceDateEpoch }, this.options, note, signal);
      if (result.ok) return { kind: 'output', sha256: result.output };
      return result.kind === 'interrupted' ? null : { kind: 'failed', reason: result.reason };
    } catch (error) {
      if (signal.aborted) return null;
      return { kind: 'unable', reason: error instanceof Error ? error.message : String(error) };
    } finally {
      inputs.close();
    }
  }
}
