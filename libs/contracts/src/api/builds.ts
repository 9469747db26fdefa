import { z } from 'zod';
import {
  AgentId,
  AttemptId,
  BuildId,
  Bytes,
  JobId,
  Millis,
  Name,
  RelativePath,
  Sha256,
  StepName,
  textOf,
} from '../ids.js';
import { AttemptEnd, AttemptState, BuildState, JobState, StepOutcome, StepState, Wish } from '../states.js';
import { Why } from './why.js';

const MAX_MANIFEST_CHARACTERS = 1024 * 1024;
const MAX_FILE_BYTES = 4 * 1024 * 1024;
export const MAX_FILES = 500;
/** Limit of a submission's body. */
export const MAX_SUBMISSION_BYTES = 16 * 1024 * 1024;

/** Agents that a build's checkpoints are copied to, beside the one that takes them. */
export const MOST_REPLICAS = 3;
export const ReplicaCount = z.number().int().min(0).max(MOST_REPLICAS);

/** A file that the manifest's scripts consist of, or use. */
export const SubmittedFile = z.strictObject({
  /** Relative to the submission's root, which holds the manifest too. */
  path: RelativePath,
  executable: z.boolean(),
  base64: z.base64().max(Math.ceil((MAX_FILE_BYTES * 4) / 3) + 4),
});
export type SubmittedFile = z.infer<typeof SubmittedFile>;

/** A step by name or by number from 0, as distro_const takes it. */
export const StepReference = z.string().min(1).max(63);

export const Priority = z.enum(['low', 'normal', 'high']);
export type Priority = z.infer<typeof Priority>;

const MAX_VARIANTS = 1000;

/** Axes of the manifest, each with the values wanted of it; none: all it has. A variant is built for each combination. */
export const Matrix = z
  .record(Name, z.array(Name).max(MAX_VARIANTS))
  .refine((axes) => Object.keys(axes).length <= MAX_VARIANTS, `expected at most ${MAX_VARIANTS} axes`);
export type Matrix = z.infer<typeof Matrix>;

export const SubmitBuild = z
  .strictObject({
    manifest: z.string().max(MAX_MANIFEST_CHARACTERS),
    /** Where the manifest lies among the files: its scripts are relative to it. */
    manifestPath: RelativePath,
    files: z.array(SubmittedFile).max(MAX_FILES),
    /** Names of variants, or of combinations of axes; empty: all variants, or `default` where the manifest has none. */
    variants: z.array(Name).max(MAX_VARIANTS).default([]),
    /** Instead of `variants`. */
    matrix: Matrix.default({}),
    /** Seconds since 1970; what the images carry as their time. */
    sourceDateEpoch: z.number().int().min(0).max(99_999_999_999),
    /**
     * Nobody asked for that time. Where it may reuse, the build then takes the time of the newest build of the distribution: with another one, no step would be the same.
     */
    anySourceDateEpoch: z.boolean().default(false),
    priority: Priority.default('normal'),
    /** `-p`: no step from this one on runs until the build is resumed. */
    pauseBefore: StepReference.nullable().default(null),
    /** Place jobs only on this agent (id or name). */
    onAgent: Name.nullable().default(null),
    /** Copies of each checkpoint on other agents; `null`: as many as the manifest says, else the farm. */
    replicas: ReplicaCount.nullable().default(null),
    /** Each step waits for the copies of the checkpoint in front of it; false: when the manifest says so. */
    waitForReplicas: z.boolean().default(false),
    /** Take the submission even when no agent of today's farm could ever run it. */
    wait: z.boolean().default(false),
    /** Go on from what other builds of the farm, and the other variants, made of the same steps; false: everything runs. */
    reuse: z.boolean().default(true),
    note: textOf(500).default(''),
    /** A second submission of the same user with the same key gives back the first build. */
    idempotencyKey: textOf(200).min(1).nullable().default(null),
  })
  .meta({ id: 'SubmitBuild' });
/** As a client sends it: what has a default may be left out. */
export type SubmitBuild = z.input<typeof SubmitBuild>;
export type AcceptedSubmission = z.infer<typeof SubmitBuild>;

export const BuildSummary = z.strictObject({
  id: BuildId,
  /** Distribution name of the manifest. */
  name: z.string(),
  state: BuildState,
  wish: Wish,
  user: Name,
  priority: Priority,
  note: z.string(),
  variants: z.array(Name),
  /** Those without which it can succeed. A farm of an older version does not say. */
  optionalVariants: z.array(Name).optional(),
  createdAt: Millis,
  startedAt: Millis.nullable(),
  endedAt: Millis.nullable(),
  /** Steps over all variants. */
  steps: z.strictObject({ total: z.number().int(), done: z.number().int() }),
  /** One sentence on what goes on: the running step, why it waits, how it ended. */
  summary: z.string(),
});
export type BuildSummary = z.infer<typeof BuildSummary>;

export const StepView = z.strictObject({
  index: z.number().int(),
  name: StepName,
  message: z.string(),
  state: StepState,
  startedAt: Millis.nullable(),
  endedAt: Millis.nullable(),
  outcome: StepOutcome.nullable(),
  /** The attempt that this state is of. */
  attempt: AttemptId.nullable(),
  /** It did not run here: another build's step that was the same had. */
  reusedFrom: BuildId.nullable(),
  agent: AgentId.nullable(),
  /** The checkpoint in front of the step, where some agent holds one. */
  checkpoint: z.string().nullable(),
  /** Names of the agents that hold it. */
  checkpointOn: z.array(Name),
  /** Median of past successful runs of the step of that name and distribution; `null` without any. */
  usualMs: z.number().nullable(),
});
export type StepView = z.infer<typeof StepView>;

export const AttemptView = z.strictObject({
  id: AttemptId,
  job: JobId,
  number: z.number().int().min(1),
  epoch: z.number().int().min(1),
  state: AttemptState,
  agent: AgentId,
  agentName: Name,
  assignedAt: Millis,
  startedAt: Millis.nullable(),
  endedAt: Millis.nullable(),
  end: AttemptEnd.nullable(),
  /** What it does right now: `fetching`, `running` or `publishing`. */
  phase: z.string().nullable(),
  logBytes: Bytes,
});
export type AttemptView = z.infer<typeof AttemptView>;

export const JobView = z.strictObject({
  id: JobId,
  variant: Name,
  index: z.number().int(),
  lane: z.string(),
  state: JobState,
  /** Why it waits, in words; empty when it does not. */
  waitingReason: z.string(),
  /** Indexes of the jobs of its variant that must have succeeded. */
  needs: z.array(z.number().int()),
  retries: z.number().int(),
  steps: z.array(StepView),
  attempts: z.array(AttemptView),
});
export type JobView = z.infer<typeof JobView>;

export const BuildDetail = BuildSummary.extend({
  manifestSha256: Sha256,
  manifestPath: RelativePath,
  sourceDateEpoch: z.number().int(),
  pauseBefore: z.string().nullable(),
  /** Copies of its checkpoints that are to be on other agents. */
  replicas: ReplicaCount,
  waitForReplicas: z.boolean(),
  jobs: z.array(JobView),
  /** Position of the newest event this view includes: follow the stream from here. */
  eventSeq: z.number().int(),
}).meta({ id: 'BuildDetail' });
export type BuildDetail = z.infer<typeof BuildDetail>;

/** What became of a build since an earlier view of it: a view of a thousand variants is megabytes. */
export const BuildChanges = BuildDetail.extend({
  /** Only those that something happened to; all of them where that is not known. */
  jobs: z.array(JobView),
  /** How all of its jobs stand, each in one of these: no event tells why a job waits. */
  standings: z.array(z.strictObject({ state: JobState, waitingReason: z.string(), jobs: z.array(JobId) })),
}).meta({ id: 'BuildChanges' });
export type BuildChanges = z.infer<typeof BuildChanges>;

export const SubmittedBuild = z
  .strictObject({
    build: BuildDetail,
    /** False: the idempotency key met an earlier submission, and this is that build. */
    created: z.boolean(),
    /** What the user should know: notes of the manifest. */
    notes: z.array(z.string()),
  })
  .meta({ id: 'SubmittedBuild' });
export type SubmittedBuild = z.infer<typeof SubmittedBuild>;

/** What a submission would become; nothing is kept. */
export const PlanPreview = z
  .strictObject({
    name: z.string(),
    notes: z.array(z.string()),
    variants: z.array(
      z.strictObject({
        name: Name,
        optional: z.boolean().optional(),
        jobs: z.array(
          z.strictObject({
            index: z.number().int(),
            lane: z.string(),
            architecture: z.string(),
            needs: z.array(z.number().int()),
            steps: z.array(
              z.strictObject({
                name: StepName,
                message: z.string(),
                usualMs: z.number().nullable(),
                /** `reused`: the build `of` made the same. `shared`: it runs once, for the variant `of`. */
                fate: z.enum(['runs', 'reused', 'shared']),
                of: z.string().nullable(),
                /** Of the first of a lane that runs: why nothing that is there is the same. */
                why: z.string(),
              }),
            ),
            /** How many agents could run it, and why the others not. */
            placement: z.string(),
          }),
        ),
      }),
    ),
  })
  .meta({ id: 'PlanPreview' });
export type PlanPreview = z.infer<typeof PlanPreview>;

export const ListBuilds = z.strictObject({
  state: z.array(BuildState).optional(),
  user: Name.optional(),
  name: z.string().max(200).optional(),
  /** Only builds created since then. */
  since: Millis.optional(),
  limit: z.number().int().min(1).max(1000).default(50),
  /** Newest first; the `next` of the page before. */
  cursor: z.string().max(100).optional(),
});
export type ListBuilds = z.infer<typeof ListBuilds>;
export const BuildPage = z
  .strictObject({ builds: z.array(BuildSummary), next: z.string().nullable() })
  .meta({ id: 'BuildPage' });
export type BuildPage = z.infer<typeof BuildPage>;

export const PauseBuild = z
  .strictObject({ before: StepReference.nullable().default(null), why: Why })
  .meta({ id: 'PauseBuild' });
export type PauseBuild = z.input<typeof PauseBuild>;
export const ResumeBuild = z
  .strictObject({
    /** `null`: where each job stopped. Else the named step, and all that depends on it, runs again. */
    from: StepReference.nullable().default(null),
    /** Only this variant. */
    variant: Name.nullable().default(null),
    /** The resumed jobs go on on this agent (id or name) and on no other, until they end or are resumed again. */
    onAgent: Name.nullable().default(null),
    /** Pause again before this step. */
    pauseBefore: StepReference.nullable().default(null),
    why: Why,
  })
  .meta({ id: 'ResumeBuild' });
export type ResumeBuild = z.input<typeof ResumeBuild>;
export const CancelBuild = z.strictObject({ why: Why }).meta({ id: 'CancelBuild' });
export type CancelBuild = z.input<typeof CancelBuild>;

/** An attempt went on with a state that another one of its job had made, on another agent. */
export const Takeover = z.strictObject({
  job: JobId,
  /** Who had made the state, and when. */
  from: AttemptId,
  madeAt: Millis,
  /** Who went on with it, and when. */
  to: AttemptId,
  at: Millis,
  /** The step it went on with. */
  before: StepName,
  /** How the state came; `null`: nobody remembers. */
  carried: z
    .strictObject({
      /** `copied`: ahead of need, as the build's replicas. */
      how: z.enum(['fetched', 'copied']),
      /** Name of the agent that sent it. */
      source: Name,
      bytes: Bytes,
      ms: z.number().int().min(0),
    })
    .nullable(),
});
export type Takeover = z.infer<typeof Takeover>;
export const TakeoverList = z.strictObject({ takeovers: z.array(Takeover) }).meta({ id: 'TakeoverList' });
export type TakeoverList = z.infer<typeof TakeoverList>;

/** Copies of a job's newest checkpoint that are wanted on other agents and are not there. */
export const ReplicaLack = z
  .strictObject({
    build: BuildId,
    variant: Name,
    lane: z.string(),
    /** Of the checkpoint. */
    label: z.string(),
    takenAt: Millis,
    missing: z.number().int().min(1),
    /** How many checkpoints the copy that got furthest lacks. */
    behind: z.number().int().min(0),
    /** `coming`: as is to be expected. `late`: a job waits for it, or is ahead of it by more. `missing`: nobody can take it. */
    kind: z.enum(['coming', 'late', 'missing']),
    reason: z.string(),
  })
  .meta({ id: 'ReplicaLack' });
export type ReplicaLack = z.infer<typeof ReplicaLack>;
export const ReplicaLackList = z
  .strictObject({ lacking: z.array(ReplicaLack) })
  .meta({ id: 'ReplicaLackList' });
export type ReplicaLackList = z.infer<typeof ReplicaLackList>;

/** Checkpoints that another agent holds, against the steps that would have to run without them. Times are estimates by what was measured. */
export const FetchOrRun = z
  .strictObject({
    from: z.strictObject({ agent: AgentId, name: Name }),
    /** Another one, whose states equal the job's; `null`: the states are its own build's. */
    build: BuildId.nullable(),
    /** All that could be fetched. Null where that has not been measured. */
    fetch: z.strictObject({
      checkpoints: z.number().int(),
      bytes: Bytes.nullable(),
      bytesPerSecond: z.number().nonnegative().nullable(),
      ms: Millis,
    }),
    /** Instead of all of it; `ms` null: nobody knows. */
    run: z.strictObject({ steps: z.number().int(), ms: Millis.nullable() }),
    /** What is fetched, and what runs behind that. */
    chosen: z.strictObject({ checkpoints: z.number().int(), steps: z.number().int(), ms: Millis }),
    /** All that in words. */
    text: z.string(),
  })
  .meta({ id: 'FetchOrRun' });
export type FetchOrRun = z.infer<typeof FetchOrRun>;

export const Explanation = z
  .strictObject({
    build: BuildId,
    state: BuildState,
    /** One per job that does not run and has not ended well. */
    jobs: z.array(
      z.strictObject({
        job: JobId,
        variant: Name,
        lane: z.string(),
        state: JobState,
        reason: z.string(),
        /** Per agent: why it does not get the job. Empty unless the job waits. */
        agents: z.array(
          z.strictObject({
            agent: AgentId,
            name: Name,
            verdict: z.string(),
            /** How it would get as far as another agent is. `null`: it is, or it cannot have the job. */
            weighed: FetchOrRun.nullable(),
          }),
        ),
      }),
    ),
    lacking: z.array(ReplicaLack),
  })
  .meta({ id: 'Explanation' });
export type Explanation = z.infer<typeof Explanation>;

export const BuildReads = z
  .strictObject({
    build: BuildId,
    /** Each step of the build's variants once. */
    steps: z.array(
      z.strictObject({
        step: z.string(),
        /** What the build's script declares; `null`: nothing. */
        declared: z.array(z.string()).nullable(),
        /** What this very script asked for when it last ran; `null`: no run of it is remembered. */
        asked: z.array(z.string()).nullable(),
        askedIn: BuildId.nullable(),
      }),
    ),
  })
  .meta({ id: 'BuildReads' });
export type BuildReads = z.infer<typeof BuildReads>;

export const Artifact = z
  .strictObject({
    build: BuildId,
    variant: Name,
    /** Path below the media folder; unique within the variant. */
    name: RelativePath,
    bytes: Bytes,
    sha256: Sha256,
    attempt: AttemptId,
    publishedAt: Millis,
    /** Null once retention has removed its bytes. */
    available: z.boolean(),
  })
  .meta({ id: 'Artifact' });
export type Artifact = z.infer<typeof Artifact>;
export const ArtifactList = z.strictObject({ artifacts: z.array(Artifact) }).meta({ id: 'ArtifactList' });
