import type { RecordedStep } from '#libs/plan';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { MediaEntry } from './media-trail.js';

/** Raised when the record changes its meaning. One of another format is none. */
const FORMAT = 1;
const FILE = '.distro_const.reuse.json';
/** The last built ones. */
const VARIANTS_KEPT = 20;
/** Of each step, the newest. */
const TIMES_KEPT = 5;

/** What is known of a checkpoint besides what its facts say. */
export interface RecordedState {
  readonly workspace: string;
  readonly key: string;
  /** What the job's steps had written to the media folder. */
  readonly media: readonly MediaEntry[];
}

export interface RecordedVariant {
  readonly build: string;
  /** By name, as they last ran. */
  readonly steps: Readonly<Record<string, RecordedStep>>;
}

interface Content {
  /** Absolute path of the file. */
  readonly manifest: string;
  /** Seconds since 1970. */
  readonly imageTime: number;
  readonly states: Readonly<Record<string, RecordedState>>;
  readonly variants: Readonly<Record<string, RecordedVariant>>;
  /** The variant that was built last. */
  readonly latest: string;
  /** Milliseconds that steps took, the newest last. */
  readonly times: Readonly<Record<string, readonly number[]>>;
}

/**
 * What builds that reuse have left beside the checkpoints of a build area, for those after them: what belongs to a checkpoint and is not in it, what its steps were made of, and how long
 * they took. A checkpoint counts only when the record knows its id: what somebody else has made, or a property that was set by hand, is in no record.
 */
export class ReuseRecord {
  private constructor(
    private readonly path: string | null,
    private content: Content,
  ) {}

  /**
   * Reads it. What is not there, cannot be read or is another manifest's is empty: then everything runs.
   *
   * @param folder of the build area; `null`: there is none yet
   */
  static read(folder: string | null, manifest: string): ReuseRecord {
    const path = folder === null ? null : join(folder, FILE);
    const empty = { manifest, imageTime: -1, states: {}, variants: {}, latest: '', times: {} };
    const found = path === null ? null : readContent(path);
    return new ReuseRecord(path, found?.manifest === manifest ? found : empty);
  }

  /** Of the builds before this one; `null`: there was none. */
  get imageTime(): number | null {
    return this.content.imageTime < 0 ? null : this.content.imageTime;
  }

  state(checkpoint: string): RecordedState | null {
    return own(this.content.states, checkpoint);
  }

  /** What a step was made of when it last ran for the variant, or else for the variant that was built last; `null`: it never did. */
  earlierStep(variant: string, step: string): { readonly build: string; readonly step: RecordedStep } | null {
    for (const name of [variant, this.content.latest]) {
      const recorded = own(this.content.variants, name);
      const found = recorded === null ? null : own(recorded.steps, step);
      if (recorded !== null && found !== null) return { build: recorded.build, step: found };
    }
    return null;
  }

  /** Milliseconds, the median of the last times; `null`: it has not run yet. */
  usualTime(step: string): number | null {
    const times = (own(this.content.times, step) ?? []).toSorted((a, b) => a - b);
    return times[Math.floor(times.length / 2)] ?? null;
  }

  begin(imageTime: number, variant: string): void {
    this.content = { ...this.content, imageTime, latest: variant };
  }

  addState(checkpoint: string, state: RecordedState): void {
    this.content = { ...this.content, states: { ...this.content.states, [checkpoint]: state } };
  }

  /** Forgets the states of the workspace whose checkpoints are gone. */
  keepStates(workspace: string, checkpoints: ReadonlySet<string>): void {
    const kept = Object.entries(this.content.states).filter(
      ([id, state]) => state.workspace !== workspace || checkpoints.has(id),
    );
    this.content = { ...this.content, states: Object.fromEntries(kept) };
  }

  addStep(variant: string, build: string, name: string, step: RecordedStep): void {
    const steps = { ...own(this.content.variants, variant)?.steps, [name]: step };
    const others = Object.entries(this.content.variants).filter(([each]) => each !== variant);
    const newest = [...others, [variant, { build, steps }] as const].slice(-VARIANTS_KEPT);
    this.content = { ...this.content, variants: Object.fromEntries(newest) };
  }

  addTime(step: string, ms: number): void {
    const times = [...(own(this.content.times, step) ?? []), ms].slice(-TIMES_KEPT);
    this.content = { ...this.content, times: { ...this.content.times, [step]: times } };
  }

  /** All of it or nothing, readable by root only. Throws what the disk says. */
  write(): void {
    if (this.path === null) return;
    const text = JSON.stringify({ format: FORMAT, ...this.content });
    writeFileSync(`${this.path}.new`, text, { mode: 0o600 });
    renameSync(`${this.path}.new`, this.path);
  }
}

/** A step may be called `constructor`. */
function own<T>(record: Readonly<Record<string, T>>, name: string): T | null {
  return Object.hasOwn(record, name) ? (record[name] ?? null) : null;
}

const TextPair = z.tuple([z.string(), z.string()]);

const Step = z.object({
  digest: z.string(),
  ingredients: z.object({
    script: z.string(),
    args: z.array(z.string()),
    reads: z.array(TextPair),
    variables: z.array(TextPair),
    fingerprint: z.string(),
    tools: z.array(z.tuple([z.string(), z.array(z.string())])),
    sourceDateEpoch: z.number(),
  }),
});

const Recorded = z.object({
  format: z.literal(FORMAT),
  manifest: z.string(),
  imageTime: z.number().int(),
  states: z.record(
    z.string(),
    z.object({ workspace: z.string(), key: z.string(), media: z.array(TextPair) }),
  ),
  variants: z.record(z.string(), z.object({ build: z.string(), steps: z.record(z.string(), Step) })),
  latest: z.string(),
  times: z.record(z.string(), z.array(z.number())),
});

function readContent(path: string): Content | null {
  try {
    const read = Recorded.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    return read.success ? read.data : null;
  } catch {
    return null;
  }
}
