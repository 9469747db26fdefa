import {
  findAltered,
  MediaTrail,
  MOST_MEDIA_ENTRIES,
  type MediaEntry,
  type ReuseRecord,
} from '#libs/build-area';
import {
  StepRunner,
  type BuildEvent,
  type SnapshotStore,
  type StepOutcome,
  type Workspace,
} from '#libs/engine';
import type { Manifest } from '#libs/manifest';
import {
  decodeFacts,
  planKeys,
  recordedStep,
  statesToBeginWith,
  stepIngredients,
  type BoundaryFacts,
  type Checkpoint,
  type HeldBoundary,
  type Job,
  type KeyWorld,
  type Plan,
  type PlanKeys,
  type PlannedStep,
  type StateAtHand,
} from '#libs/plan';
import type { AskedFingerprint } from './key-world.js';

/** A checkpoint whose key is proven: it says so itself, and the build area's record says it of this very checkpoint. */
export interface HeldState extends StateAtHand {
  readonly checkpoint: Checkpoint;
  readonly facts: BoundaryFacts;
  readonly media: readonly MediaEntry[];
}

/** Of a workspace, oldest first. What the record does not know, or says otherwise, is not among them. Read-only. */
export async function statesAtHand(
  store: SnapshotStore,
  record: ReuseRecord,
  workspace: string,
): Promise<readonly HeldState[]> {
  return (await store.list(workspace)).flatMap((checkpoint) => {
    const facts = decodeFacts(checkpoint.facts);
    const known = record.state(checkpoint.id);
    if (facts === null || known === null || known.key !== facts.key || known.workspace !== workspace)
      return [];
    return [{ label: checkpoint.label, key: known.key, checkpoint, facts, media: known.media }];
  });
}

/** Why a state is not what it was; `null`: it is. Read-only. */
export async function flawOf(
  { checkpoint, media }: HeldState,
  store: SnapshotStore,
  mediaPath: string,
): Promise<string | null> {
  if (!(await store.isAsTaken(checkpoint)))
    return `the checkpoint ${checkpoint.label} was altered since it was taken`;
  const altered = await findAltered(mediaPath, media);
  return altered === null ? null : `media/${altered} was altered or removed since it was written`;
}

const NOT_REUSED = 'no later build begins with what comes of it';

export interface LocalReuseOptions {
  readonly build: string;
  /** Name; empty: the manifest as it is. */
  readonly variant: string;
  readonly manifest: Manifest;
  readonly plan: Plan;
  readonly world: KeyWorld;
  readonly store: SnapshotStore;
  readonly record: ReuseRecord;
  readonly mediaPath: string;
  readonly pauseBefore: PlannedStep | null;
  /** The checkpoints that a person wants to go on from, whatever they are made of; empty: none. Then all from there on runs. */
  readonly resumeFrom: readonly HeldBoundary[];
  readonly fingerprintOf: (step: PlannedStep) => Promise<AskedFingerprint | null>;
  readonly note: (text: string) => void;
  readonly warn: (text: string) => void;
}

/** Reuse within one build area: what a job may begin with, what is kept with its checkpoints, and what is recorded for the builds after this one. */
export class LocalReuse {
  readonly #options: LocalReuseOptions;
  readonly #trail: MediaTrail;
  readonly #fingerprints: Map<string, string>;
  readonly #made = new Set<number>();
  /** See `BuildRequest.keys`. */
  readonly keys: (string | null)[];
  #planned: PlanKeys;
  #isUnwritten = false;

  constructor(options: LocalReuseOptions) {
    this.#options = options;
    this.#trail = new MediaTrail(options.mediaPath);
    this.#fingerprints = new Map(options.world.fingerprints);
    this.#planned = this.#planKeys();
    this.keys = [...this.#planned.boundaries];
  }

  /** Before the first step. */
  async begin(): Promise<void> {
    const { plan, store, record, variant, world, resumeFrom } = this.#options;
    for (const workspace of new Set(plan.jobs.map((job) => job.workspace))) {
      const checkpoints = await store.list(workspace);
      record.keepStates(workspace, new Set(checkpoints.map(({ id }) => id)));
    }
    record.begin(world.sourceDateEpoch, variant);
    this.#write();
    if (resumeFrom.length > 0) await this.#resume(resumeFrom);
  }

  /**
   * What a person resumes from may be anything. What comes of it has keys only where all of it is what the plan would have made, lanes included: outputs of any of them may still be
   * taken over.
   */
  async #resume(chain: readonly HeldBoundary[]): Promise<void> {
    const { store, record, mediaPath } = this.#options;
    let media: readonly MediaEntry[] = [];
    for (const { boundary, checkpoint } of chain) {
      const states = await statesAtHand(store, record, boundary.workspace);
      const state = states.find((each) => each.checkpoint.id === checkpoint.id);
      const isOwn = state !== undefined && state.key === this.keys[boundary.index];
      if (!isOwn || (await flawOf(state, store, mediaPath)) !== null) {
        this.#dropKeys();
        break;
      }
      media = state.media;
    }
    await this.#trail.begin(media);
  }

  /** See `BuildRequest.furthestAtHand`. */
  async furthestAtHand(job: Job): Promise<HeldBoundary | null> {
    const { plan, store, record, pauseBefore, mediaPath, resumeFrom, note } = this.#options;
    const states = resumeFrom.length > 0 ? [] : await statesAtHand(store, record, job.workspace);
    const start = { job, pauseBefore, made: this.#made };
    for (const { boundary, state } of statesToBeginWith(plan, this.#planned, start, states)) {
      const flaw = await flawOf(state, store, mediaPath);
      if (flaw !== null) {
        note(`checkpoint ${state.label} is not gone to: ${flaw}`);
        continue;
      }
      await this.#trail.begin(state.media);
      for (const step of job.steps) if (step.index <= (boundary.after?.index ?? -1)) this.#recordStep(step);
      return { boundary, checkpoint: state.checkpoint, facts: state.facts };
    }
    await this.#trail.begin([]);
    return null;
  }

  /** A runner that looks at what each step has done besides its work in the workspace. */
  watch(runner: StepRunner): StepRunner {
    return new WatchedRunner(runner, {
      begins: (step) => this.#stepBegins(step),
      succeeded: async (step, ms) => await this.#stepSucceeded(step, ms),
    });
  }

  see(event: BuildEvent): void {
    if (event.type !== 'checkpoint-taken') return;
    const { checkpoint, boundary } = event;
    const key = this.keys[boundary.index] ?? null;
    if (key === null) return;
    const { workspace } = checkpoint;
    this.#options.record.addState(checkpoint.id, { workspace, key, media: this.#trail.entries });
    this.#write();
  }

  #stepBegins(step: PlannedStep): void {
    const job = this.#options.plan.jobs.find(({ steps }) => steps.includes(step));
    if (job !== undefined) this.#made.add(job.index);
  }

  async #stepSucceeded(step: PlannedStep, ms: number): Promise<void> {
    const { record, warn } = this.#options;
    record.addTime(step.name, Math.round(ms));
    this.#recordStep(step);
    await this.#askAgain(step);
    try {
      await this.#trail.seeChanges();
      if (this.#trail.entries.length <= MOST_MEDIA_ENTRIES) return;
      warn(`${step.name} wrote more than ${MOST_MEDIA_ENTRIES} files to the media folder; ${NOT_REUSED}`);
    } catch (error) {
      warn(
        `what ${step.name} wrote to the media folder cannot be read (${(error as Error).message}); ${NOT_REUSED}`,
      );
    }
    this.#dropKeys();
  }

  /** What moved while the step ran may be in its work or not. */
  async #askAgain(step: PlannedStep): Promise<void> {
    const before = this.#fingerprints.get(step.name);
    if (before === undefined) return;
    const asked = await this.#options.fingerprintOf(step);
    if (asked?.ok === true && asked.fingerprint === before) return;
    const why = asked?.ok === false ? asked.reason : `the fingerprint of ${step.name} changed while it ran`;
    this.#options.warn(`${why}; ${NOT_REUSED}`);
    this.#fingerprints.delete(step.name);
    this.#setKeys(this.#planKeys());
  }

  /** Of what comes next nobody can say what it is equal to. */
  #dropKeys(): void {
    this.#setKeys({ boundaries: this.keys.map(() => null), ends: [] });
  }

  #setKeys(planned: PlanKeys): void {
    this.#planned = planned;
    for (const [at, key] of planned.boundaries.entries()) if (this.keys[at] !== null) this.keys[at] = key;
  }

  #recordStep(step: PlannedStep): void {
    const { record, variant, build, manifest } = this.#options;
    const ingredients = stepIngredients(step, manifest, this.#world());
    if (ingredients !== null) record.addStep(variant, build, step.name, recordedStep(ingredients));
  }

  #planKeys(): PlanKeys {
    return planKeys(this.#options.plan, this.#options.manifest, this.#world());
  }

  #world(): KeyWorld {
    return { ...this.#options.world, fingerprints: this.#fingerprints };
  }

  /** Without it everything runs the next time: no reason to end a build. */
  #write(): void {
    try {
      this.#options.record.write();
    } catch (error) {
      if (!this.#isUnwritten)
        this.#options.warn(`what could be reused later cannot be recorded: ${(error as Error).message}`);
      this.#isUnwritten = true;
    }
  }
}

interface Watch {
  readonly begins: (step: PlannedStep) => void;
  readonly succeeded: (step: PlannedStep, ms: number) => Promise<void>;
}

class WatchedRunner extends StepRunner {
  constructor(
    private readonly runner: StepRunner,
    private readonly watch: Watch,
  ) {
    super();
  }

  override async run(step: PlannedStep, workspace: Workspace, signal: AbortSignal): Promise<StepOutcome> {
    const began = performance.now();
    this.watch.begins(step);
    const outcome = await this.runner.run(step, workspace, signal);
    if (outcome.kind === 'succeeded') await this.watch.succeeded(step, performance.now() - began);
    return outcome;
  }
}
