import { BlobStore } from '#libs/artifacts';
import { newId, type AcceptedSubmission, type BuildId, type PlanPreview } from '#libs/contracts';
import { planKeys, type KeyWorld } from '#libs/plan';
import {
  checkpointsOfKeys,
  findBuild,
  fingerprintsOf,
  listAgents,
  newestReusableBuild,
  resultsOfKeys,
  usualStepTimes,
  type Flag,
} from '#libs/store';
import { Injectable } from '@nestjs/common';
import { join } from 'node:path';
import type { Caller } from '../access/caller.js';
import { CoordinatorConfig } from '../config.js';
import { couldEverRun } from '../decide/could-ever-run.js';
import { AskedFingerprints, PlanFingerprints } from '../fingerprints/plan-fingerprints.js';
import { planReuse, type AtHand, type KeyedVariant, type StepFate } from '../decide/plan-reuse.js';
import { candidateOf } from '../scheduling/candidate-agents.js';
import { Clock, Store } from '../store.js';
import { planEarlier, whyOtherwise } from './earlier-plan.js';
import type { PlannedVariant } from './plan-submission.js';
import { keyWorldOf, withFingerprints } from './key-world.js';
import { planRows } from './plan-rows.js';
import { SubmitBuilds, trustOf, type Proposal } from './submit-builds.js';

/** What a submission would become. Nothing is kept, and what could not be placed is said instead of refused. */
@Injectable()
export class PreviewBuild {
  constructor(
    private readonly store: Store,
    private readonly blobs: BlobStore,
    private readonly submissions: SubmitBuilds,
    private readonly fingerprints: PlanFingerprints,
    private readonly config: CoordinatorConfig,
    private readonly clock: Clock,
  ) {}

  async preview(submission: AcceptedSubmission, caller: Caller): Promise<PlanPreview> {
    const proposal = await this.submissions.propose(submission, caller);
    const { planned, onAgent } = proposal;
    const { db } = this.store;
    const asked = await this.fingerprints.find(proposal);
    const worldOf = (variant: PlannedVariant): KeyWorld =>
      withFingerprints(proposal.world, variant, asked.outputsOf(variant.name));
    const notes = [...proposal.notes, ...asked.notes];
    const agents = (await listAgents(db)).map((agent) => candidateOf(agent, [], this.clock.now()));
    const usual = await usualStepTimes(db, planned.name);
    const keyed = planned.variants.map((variant): KeyedVariant => ({
      ...variant,
      keys: planKeys(variant.plan, variant.manifest, worldOf(variant)),
    }));
    // Without reuse, variants do not wait for each other's equal steps either.
    const fates: ReturnType<typeof planReuse> = submission.reuse
      ? planReuse(keyed, await this.#atHand(keyed, trustOf(caller)))
      : new Map();
    const isAnyRun = [...fates.values()].some((steps) =>
      [...steps.values()].some(({ kind }) => kind === 'runs'),
    );
    const whyRuns =
      submission.reuse && isAnyRun
        ? await this.#whyRuns(proposal, worldOf, trustOf(caller))
        : (): Reason => NO_REASON;
    const id = newId('b');
    const variants = planned.variants.map((variant, at) => {
      const rows = planRows(id, variant, keyed[at]?.keys ?? { boundaries: [], ends: [] });
      return {
        name: variant.name,
        optional: variant.isOptional,
        jobs: rows.jobs.map((job) => ({
          index: job.index,
          lane: job.lane,
          architecture: job.requires.architecture,
          needs: [...job.needs],
          steps: rows.steps
            .filter((step) => step.job_id === job.id)
            .map(({ index, name, message }) => ({
              name,
              message,
              usualMs: usual.get(name) ?? null,
              ...inWords(fates.get(variant.name)?.get(index), asked.whyUnknown(variant.name, name), () =>
                whyRuns(variant.name, name),
              ),
            })),
          placement: couldEverRun({ requires: job.requires, onAgent }, agents).sentence,
        })),
      };
    });
    return { name: planned.name, notes, variants };
  }

  async #atHand(variants: readonly KeyedVariant[], trusted: Flag): Promise<AtHand> {
    const { db } = this.store;
    const known = (keys: readonly (string | null)[]): string[] => keys.filter((key) => key !== null);
    const states = new Map<string, BuildId>();
    const boundaries = new Set(variants.flatMap(({ keys }) => known(keys.boundaries)));
    for (const { key, buildId } of await checkpointsOfKeys(db, [...boundaries], trusted))
      if (!states.has(key)) states.set(key, buildId);
    const ends = new Set(variants.flatMap(({ keys }) => known(keys.ends)));
    return { results: await resultsOfKeys(db, [...ends], trusted), states };
  }

  /** Compared with the newest build of the distribution. */
  async #whyRuns(
    { planned }: Proposal,
    worldOf: (variant: PlannedVariant) => KeyWorld,
    trusted: Flag,
  ): Promise<(variant: string, step: string) => Reason> {
    const { db } = this.store;
    const newest = await newestReusableBuild(db, planned.name, trusted);
    const build = newest === null ? null : await findBuild(db, newest.build);
    if (build === null) return only('no build of this distribution is there to compare with');
    const earlier = await planEarlier(db, this.blobs, build, join(this.config.dataFolder, 'scratch'));
    if (earlier === null) return only(`${build.id} cannot be compared with: something of it is gone`);
    const world = keyWorldOf(earlier, build.source_date_epoch, await listAgents(db));
    const asked = new AskedFingerprints(await fingerprintsOf(db, [build.id]));
    const then = {
      variants: earlier.variants,
      worldOf: (variant: PlannedVariant) => withFingerprints(world, variant, asked.outputsOf(variant.name)),
      build: build.id,
    };
    return (name, step) => {
      const variant = planned.variants.find((each) => each.name === name);
      return {
        own: variant === undefined ? '' : whyOtherwise(step, { variant, world: worldOf(variant) }, then),
        else: `what ${build.id} made of it is gone`,
      };
    };
  }
}

type Step = PlanPreview['variants'][number]['jobs'][number]['steps'][number];

/** Why a step runs. */
interface Reason {
  /** What differs in itself; empty: nothing. */
  readonly own: string;
  /** Where nothing differs, and nothing in front of it runs. */
  readonly else: string;
}

const NO_REASON: Reason = { own: '', else: '' };

function only(text: string): () => Reason {
  return () => ({ own: '', else: text });
}

/** @param unknown why its fingerprint is not known; `null`: it declares none, or it is */
function inWords(
  fate: StepFate | undefined,
  unknown: string | null,
  why: () => Reason,
): Pick<Step, 'fate' | 'of' | 'why'> {
  switch (fate?.kind) {
    case 'reused':
      return { fate: 'reused', of: fate.from, why: '' };
    case 'shared':
      return { fate: 'shared', of: fate.with, why: '' };
    case 'runs':
      if (unknown !== null) return { fate: 'runs', of: null, why: unknown };
      if (fate.isUnknown && fate.isBehind) return { fate: 'runs', of: null, why: '' };
      return { fate: 'runs', of: null, why: why().own || (fate.isBehind ? '' : why().else) };
    case undefined:
      return { fate: 'runs', of: null, why: '' };
  }
}
