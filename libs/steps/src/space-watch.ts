import { StepRunner, type Space, type StepOutcome, type Workspace } from '#libs/engine';
import type { PlannedStep } from '#libs/plan';
import { join } from 'node:path';
import { diskUsage } from './disk-usage.js';

export interface SpaceWatchOptions {
  readonly space: () => Promise<Space>;
  /** A step is stopped when less than this is left: what a roll back and our logs need. */
  readonly floorBytes: number;
  /** `pkg_image_area_max_size_gb`; `null` without a limit. */
  readonly maxImageBytes: number | null;
  /** Room that this step and those behind it say they need: short of it, the build stops now rather than an hour later. */
  readonly neededBytes: (step: PlannedStep) => number;
  /** Folders to weigh in the report besides the workspace's own. */
  readonly alsoWeigh: readonly string[];
  /** How often to look; a step fills some 200 MB/s at the most. */
  readonly intervalMs?: number;
  /** How long room that was just given back may take to show, before a step is refused for want of it. */
  readonly settleMs?: number;
}

/** At least this much stays free: what roll back, logs and the next checkpoint need. */
const FLOOR_BYTES = 64 * 1024 * 1024;
/** On small pools the floor is a share of them. */
const FLOOR_SHARE = 0.05;

/** The `floorBytes` for a store of that size. */
export function spaceFloor({ freeBytes, usedBytes }: Space): number {
  return Math.min(FLOOR_BYTES, (freeBytes + usedBytes) * FLOOR_SHARE);
}

const INTERVAL_MS = 1_000;
/** A transaction group of ZFS takes up to 5 s. */
const SETTLE_MS = 10_000;
const SETTLE_POLL_MS = 100;

/** Runs steps through another runner, and stops one that fills the build area before the disk is so full that nothing works. */
export class SpaceWatch extends StepRunner {
  #freeBefore: number | null = null;
  #isOverLimit = false;

  constructor(
    private readonly runner: StepRunner,
    private readonly options: SpaceWatchOptions,
  ) {
    super();
  }

  /** What was free in front of the newest step that was looked at; `null` before the first. */
  get freeBefore(): number | null {
    return this.#freeBefore;
  }

  /** Whether the newest step that ran filled more than the manifest allows: more room would not help it. */
  get isOverLimit(): boolean {
    return this.#isOverLimit;
  }

  override async run(step: PlannedStep, workspace: Workspace, signal: AbortSignal): Promise<StepOutcome> {
    // Looked at only here: before the workspace was opened, it may have held what an earlier build filled the disk with.
    const shortage = await this.shortage(step);
    return shortage === null
      ? await this.#runWatched(step, workspace, signal)
      : { kind: 'out-of-space', report: shortage };
  }

  async #runWatched(step: PlannedStep, workspace: Workspace, signal: AbortSignal): Promise<StepOutcome> {
    const full = new AbortController();
    let looking = Promise.resolve();
    const timer = setInterval(() => {
      looking = this.#isFull(workspace).then(
        (isFull) => {
          if (isFull) full.abort(new Error('the build area is full'));
        },
        () => {}, // A store that does not answer is the business of the next checkpoint, which says so.
      );
    }, this.options.intervalMs ?? INTERVAL_MS);
    try {
      const outcome = await this.runner.run(step, workspace, AbortSignal.any([signal, full.signal]));
      clearInterval(timer);
      await looking;
      if (signal.aborted) return outcome;
      const overLimit = await this.#overImageLimit(workspace);
      this.#isOverLimit = overLimit !== null;
      if (overLimit !== null) return { kind: 'out-of-space', report: overLimit };
      // A script that met ENOSPC itself fails before we look: its exit status would hide the reason.
      const failedOnFullDisk =
        outcome.kind !== 'succeeded' && (full.signal.aborted || (await this.#isFull(workspace)));
      return failedOnFullDisk ? { kind: 'out-of-space', report: await this.#report(workspace) } : outcome;
    } finally {
      clearInterval(timer);
    }
  }

  /** What has to be free in front of the step. */
  neededBytes(step: PlannedStep): number {
    return Math.max(this.options.floorBytes, this.options.neededBytes(step));
  }

  /** What is missing for the step, in words; `null`: it has the room that it needs. */
  async shortage(step: PlannedStep): Promise<string | null> {
    const needed = this.neededBytes(step);
    const freeBytes = await this.#freeBytes(needed);
    this.#freeBefore = freeBytes;
    if (freeBytes >= needed) return null;
    return `${megabytes(freeBytes)} are free in the build area, and ${megabytes(needed)} are needed from here on`;
  }

  /** ZFS gives room back a few seconds after a roll back or destroy returned: what is short now may not be in a moment. */
  async #freeBytes(wanted: number): Promise<number> {
    const until = performance.now() + (this.options.settleMs ?? SETTLE_MS);
    for (;;) {
      const { freeBytes } = await this.options.space();
      if (freeBytes >= wanted || performance.now() >= until) return freeBytes;
      await new Promise((later) => setTimeout(later, SETTLE_POLL_MS));
    }
  }

  async #isFull(workspace: Workspace): Promise<boolean> {
    const { freeBytes } = await this.options.space();
    return freeBytes < this.options.floorBytes || (await this.#overImageLimit(workspace)) !== null;
  }

  async #overImageLimit(workspace: Workspace): Promise<string | null> {
    const { maxImageBytes } = this.options;
    if (maxImageBytes === null) return null;
    const bytes = (await diskUsage([join(workspace.path, 'pkg_image')]))[0]?.bytes ?? 0;
    if (bytes <= maxImageBytes) return null;
    return `pkg_image holds ${megabytes(bytes)}, and the manifest allows ${megabytes(maxImageBytes)} (pkg_image_area_max_size_gb)`;
  }

  async #report(workspace: Workspace): Promise<string> {
    const { freeBytes } = await this.options.space();
    const own = ['pkg_image', 'boot_archive', 'tmp'].map((folder) => join(workspace.path, folder));
    const weighed = await diskUsage([...own, ...this.options.alsoWeigh]);
    const largest = weighed.toSorted((a, b) => b.bytes - a.bytes).slice(0, 3);
    const filledBy = largest.map(({ path, bytes }) => `${path} holds ${megabytes(bytes)}`).join(', ');
    return `the build area is full: ${megabytes(freeBytes)} left; ${filledBy}. Make room, then resume with -R`;
  }
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_000_000)} MB`;
}
