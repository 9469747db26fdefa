import { Injectable } from '@nestjs/common';
import { findAsk, insertManifest, type FingerprintAskRow } from '#libs/store';
import { setTimeout as sleep } from 'node:timers/promises';
import { SubmitBuilds, type Proposal } from '../builds/submit-builds.js';
import { Clock, Store } from '../store.js';
import { Work } from '../work.js';
import { AskFingerprints } from './ask-fingerprints.js';

/** Whoever wants a plan waits for it: so much longer than a command may take that one which is slow to be taken is answered, too. */
export const PLAN_WAIT_MS = 45_000;
const LOOK_AGAIN_MS = 100;

/** Fingerprints as far as they are known, with the variants and steps that they are of. */
export class AskedFingerprints {
  constructor(
    private readonly steps: readonly {
      readonly variant: string;
      readonly index: number;
      readonly step: string;
      readonly ask: Pick<FingerprintAskRow, 'output' | 'failure'>;
    }[],
  ) {}

  /** By index of the step. */
  outputsOf(variant: string): ReadonlyMap<number, string> {
    return new Map(
      this.steps.flatMap(({ variant: of, index, ask }) =>
        of === variant && ask.output !== null ? [[index, ask.output] as const] : [],
      ),
    );
  }

  /** `null`: it is known, or not asked for. */
  whyUnknown(variant: string, step: string): string | null {
    const asked = this.steps.find((each) => each.variant === variant && each.step === step);
    if (asked === undefined || asked.ask.output !== null) return null;
    return asked.ask.failure ?? `nobody has said its fingerprint within ${PLAN_WAIT_MS / 1000} s`;
  }

  /** What could not be had, each step once. */
  get notes(): readonly string[] {
    const steps = this.steps.filter(({ ask }) => ask.output === null).map(({ step }) => step);
    if (steps.length === 0) return [];
    const names = [...new Set(steps)].join(', ');
    return [
      `the fingerprint of ${names} could not be had; submitted now, the build waits for it, or fails as it does`,
    ];
  }
}

/** Asks for what a plan has to know, and waits for the answers. What it asks for is kept, as for a submission, until it is old. */
@Injectable()
export class PlanFingerprints {
  constructor(
    private readonly store: Store,
    private readonly work: Work,
    private readonly submissions: SubmitBuilds,
    private readonly asks: AskFingerprints,
    private readonly clock: Clock,
  ) {}

  async find({ planned, wanted, manifest }: Proposal): Promise<AskedFingerprints> {
    if (wanted.length === 0) return new AskedFingerprints([]);
    await this.submissions.keepFiles(planned.files);
    const ids = await this.work.change(async (tx, changes, now) => {
      await insertManifest(tx, planned.manifestSha256, manifest);
      return await this.asks.ask(tx, changes, now, wanted);
    });
    const until = this.clock.now() + PLAN_WAIT_MS;
    for (;;) {
      const answers = new Map<string, FingerprintAskRow>();
      for (const [digest, id] of ids) {
        const ask = await findAsk(this.store.db, id);
        if (ask !== null) answers.set(digest, ask);
      }
      const isDone = [...answers.values()].every(({ answered_at }) => answered_at !== null);
      if (isDone || this.clock.now() >= until)
        return new AskedFingerprints(
          wanted.map(({ variant, index, step, digest }) => ({
            ...{ variant: variant.name, index, step },
            ask: answers.get(digest) ?? { output: null, failure: null },
          })),
        );
      await sleep(LOOK_AGAIN_MS);
    }
  }
}
