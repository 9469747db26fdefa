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
  TokenId,
  textOf,
} from './ids.js';
import { AttemptEnd, AttemptState, BuildState, JobState, StepOutcome, StepState, Wish } from './states.js';

/** The public API, below /api/v1. Bodies are strict: an unknown field is refused. Times are milliseconds since 1970. */

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
const Why = textOf(500).default('');

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

export const AgentState = z.enum(['idle', 'busy', 'draining', 'drained', 'paused', 'lost', 'revoked']);
export type AgentState = z.infer<typeof AgentState>;

export const StoreFacts = z.strictObject({
  kind: z.enum(['zfs', 'btrfs', 'directory']),
  description: z.string().max(300),
  /** What the store can beside the port: `send`, `receive`, `resume-receive`, `reflink`. */
  abilities: z.array(Name).max(20),
});
export const AgentFacts = z.strictObject({
  version: z.string().max(50),
  hostname: z.string().max(255),
  /** Architectures whose images it can build, Debian's words: `amd64`, `i386`, `arm64`. */
  architectures: z.array(Name).min(1).max(20),
  labels: z.array(Name).max(50),
  slots: z.number().int().min(1).max(256),
  /** Tools by name, with what they say of their version. */
  tools: z.record(z.string().max(64), z.string().max(200)),
  store: StoreFacts,
  freeBytes: Bytes,
  usedBytes: Bytes,
});
export type AgentFacts = z.infer<typeof AgentFacts>;

export const AgentLoad = z.strictObject({
  /** Load average of one minute divided by the number of processors. */
  cpu: z.number().min(0),
  freeMemoryBytes: Bytes,
});
export type AgentLoad = z.infer<typeof AgentLoad>;

export const AgentView = z
  .strictObject({
    id: AgentId,
    name: Name,
    state: AgentState,
    facts: AgentFacts,
    load: AgentLoad.nullable(),
    /** Attempts it runs. */
    running: z.array(
      z.strictObject({
        attempt: AttemptId,
        build: BuildId,
        lane: z.string(),
        step: z.string().nullable(),
        /** When its lease was renewed last; `null` before the agent fetched it. */
        renewedAt: Millis.nullable(),
      }),
    ),
    /** Who drained or paused it, and why, or what its quarantine is for; else empty. */
    reason: z.string(),
    /** When its pause or quarantine ends by itself. */
    pausedUntil: Millis.nullable(),
    enrolledAt: Millis,
    lastSeenAt: Millis.nullable(),
    checkpoints: z.number().int(),
  })
  .meta({ id: 'Agent' });
export type AgentView = z.infer<typeof AgentView>;
export const AgentList = z.strictObject({ agents: z.array(AgentView) }).meta({ id: 'AgentList' });

export const AgentHistoryQuery = z.strictObject({
  limit: z.number().int().min(1).max(200).default(50),
  /** The `next` of the page before. */
  cursor: z.string().max(100).optional(),
});
export type AgentHistoryQuery = z.infer<typeof AgentHistoryQuery>;

/** Something that it was given. */
export const AgentAttempt = z.strictObject({
  kind: z.literal('attempt'),
  /** When it was given to it. */
  at: Millis,
  attempt: AttemptId,
  build: BuildId,
  /** Distribution name of the manifest. */
  name: z.string(),
  variant: Name,
  lane: z.string(),
  /** From 1 within the job. */
  number: z.number().int(),
  state: AttemptState,
  phase: z.string().nullable(),
  startedAt: Millis.nullable(),
  endedAt: Millis.nullable(),
  end: AttemptEnd.nullable(),
  /** Names of the steps that `end` may speak of. */
  steps: z.array(z.strictObject({ index: z.number().int(), name: StepName })),
});
export type AgentAttempt = z.infer<typeof AgentAttempt>;

/** Something that became of it. */
export const AgentChange = z.strictObject({
  kind: z.literal('change'),
  at: Millis,
  /** Of the event that tells of it. */
  seq: z.number().int(),
  what: z.enum([
    'enrolled',
    /** A process of it has said hello. */
    'started',
    'lost',
    /** The same process, after it was lost. */
    'came-back',
    'drained',
    'undrained',
    'paused',
    'unpaused',
    'quarantined',
    'revoked',
  ]),
  /** Whoever did it; empty when nobody did. */
  by: z.string(),
  why: z.string(),
  /** When a pause or a quarantine ends by itself. */
  until: Millis.nullable(),
});
export type AgentChange = z.infer<typeof AgentChange>;

/** Newest first. Changes are told of as long as events are kept. */
export const AgentHistory = z
  .strictObject({
    entries: z.array(z.discriminatedUnion('kind', [AgentAttempt, AgentChange])),
    next: z.string().nullable(),
  })
  .meta({ id: 'AgentHistory' });
export type AgentHistory = z.infer<typeof AgentHistory>;

export const DrainAgent = z
  .strictObject({
    why: Why,
    /** Its jobs go on to their ends; else each stops at its next boundary once another agent can take it. */
    letFinish: z.boolean().default(false),
  })
  .meta({ id: 'DrainAgent' });
export const RevokeAgent = z.strictObject({ why: Why }).meta({ id: 'RevokeAgent' });
export const PauseAgent = z
  .strictObject({
    why: textOf(500).min(1),
    untilSeconds: z
      .number()
      .int()
      .min(1)
      .max(365 * 86_400)
      .nullable()
      .default(null),
  })
  .meta({ id: 'PauseAgent' });
export const CreateEnrolment = z
  .strictObject({
    /** Fixes the agent's name; else the agent says it. */
    name: Name.nullable().default(null),
    expiresInSeconds: z
      .number()
      .int()
      .min(60)
      .max(7 * 86_400)
      .default(3600),
  })
  .meta({ id: 'CreateEnrolment' });
export const Enrolment = z
  .strictObject({
    token: z.string(),
    expiresAt: Millis,
    /** SHA-256 of the farm's CA certificate in DER; `null` without TLS or with a public certificate. */
    caFingerprint: z.string().nullable(),
    /** The one command to run on the host. */
    command: z.string(),
  })
  .meta({ id: 'Enrolment' });
export type Enrolment = z.infer<typeof Enrolment>;

export const CheckpointView = z.strictObject({
  id: z.string(),
  agent: AgentId,
  agentName: Name,
  build: BuildId,
  variant: Name,
  lane: z.string(),
  label: z.string(),
  /** The step it is in front of; `null` at the end of a job. */
  before: StepName.nullable(),
  takenAt: Millis,
  /** Somebody keeps it, whatever policies say. */
  pinned: z.boolean(),
});
export type CheckpointView = z.infer<typeof CheckpointView>;
export const CheckpointList = z
  .strictObject({ checkpoints: z.array(CheckpointView) })
  .meta({ id: 'CheckpointList' });

/** Why checkpoints may go: docs/operations.md says what each means, and in which order. */
export const CollectedAs = z.enum(['old', 'finished', 'copy', 'cancelled', 'newest', 'failed']);
export type CollectedAs = z.infer<typeof CollectedAs>;

/** What an agent holds of a variant of a build: what can go by itself. */
export const AreaView = z.strictObject({
  agent: AgentId,
  agentName: Name,
  build: BuildId,
  variant: Name,
  /** Distribution name of the manifest; empty when the build was collected. */
  name: z.string(),
  checkpoints: z.number().int(),
  newestAt: Millis,
  /** What would be free without it; `null`: it was not measured yet. */
  usedBytes: Bytes.nullable(),
  /** As what it may go; `null`: it may not. */
  as: CollectedAs.nullable(),
  inUse: z.boolean(),
  /** The agent has been told to drop it. */
  going: z.boolean(),
  pinned: z.boolean(),
});
export type AreaView = z.infer<typeof AreaView>;
/** Those that go first come first, those that may not go last. */
export const AreaList = z.strictObject({ areas: z.array(AreaView) }).meta({ id: 'AreaList' });
export type AreaList = z.infer<typeof AreaList>;

/** Checkpoints that a person keeps. */
export const CheckpointPinView = z.strictObject({
  build: BuildId,
  /** `null`: all of the build. */
  variant: Name.nullable(),
  user: Name,
  why: z.string(),
  pinnedAt: Millis,
});
export type CheckpointPinView = z.infer<typeof CheckpointPinView>;
export const CheckpointPinList = z
  .strictObject({ pins: z.array(CheckpointPinView) })
  .meta({ id: 'CheckpointPinList' });
export type CheckpointPinList = z.infer<typeof CheckpointPinList>;
export const PinCheckpoints = z
  .strictObject({ variant: Name.nullable().default(null), why: Why })
  .meta({ id: 'PinCheckpoints' });

/** Of a node of the trie: a step key; a build, for what is held of it without step keys; one of those, as `<build>.<checkpoint id>`. */
export const TrieNodeId = z
  .string()
  .regex(/^(?:[0-9a-f]{64}|b-[0-9a-z]{10}(?:\.[A-Za-z0-9_-]{1,64})?)$/, 'expected a step key or a build');
export type TrieNodeId = z.infer<typeof TrieNodeId>;

/** An agent that holds a checkpoint. */
export const Holder = z.strictObject({
  agent: AgentId,
  agentName: Name,
  /** It does not answer: what only it holds cannot be had. */
  lost: z.boolean(),
});
export type Holder = z.infer<typeof Holder>;

/** A state that agents hold, once for all that have it. */
export const TrieNode = z.strictObject({
  id: TrieNodeId,
  /**
   * `state`: of a step key; what comes from it is below it. `build`: what is held of a build and is known to equal nothing else. `checkpoint`: one of these.
   */
  kind: z.enum(['state', 'build', 'checkpoint']),
  /** The step that led to it; `null`: none has run in its lane, or nobody knows. */
  step: StepName.nullable(),
  /** The step that it is in front of; `null`: it is at the end of a job, or a build. */
  before: z.string().nullable(),
  lane: z.string(),
  /** Of a `checkpoint`. */
  variant: Name.nullable(),
  /** Whose builds have it; of a build that was collected, none. */
  distributions: z.array(z.string()),
  /** Builds that are not collected, and variants of these, that have the state among theirs: they make it once. */
  builds: z.number().int(),
  variants: z.number().int(),
  holders: z.array(Holder),
  newestAt: Millis,
  /** A person keeps a checkpoint of it. */
  pinned: z.boolean(),
  /** A job works in an area that holds it, or is going to begin with one. */
  inUse: z.boolean(),
  /** What the areas that hold it take together, with all else that is in them; `null`: none was measured yet. A single state has no size: its bytes are shared with those around it. */
  areaBytes: Bytes.nullable(),
  /** Id of one checkpoint of it, of an agent that answers where there is one. */
  checkpoint: z.string().nullable(),
  /** How many nodes are directly below it. */
  children: z.number().int(),
  /** How many there are below it at all; with `countEnded` there are more. */
  below: z.number().int(),
  countEnded: z.boolean(),
});
export type TrieNode = z.infer<typeof TrieNode>;

/** Nodes with one parent, the newest first. */
export const TrieLevel = z.strictObject({
  /** `null`: those at the top. */
  parent: TrieNodeId.nullable(),
  nodes: z.array(TrieNode),
  /** What to ask for behind them; `null`: that is all. */
  next: z.string().nullable(),
});
export type TrieLevel = z.infer<typeof TrieLevel>;

/** The level that was asked for; and where it is one node only, the one below that, and so on down to where there is a choice. */
export const CheckpointTrie = z
  .strictObject({ levels: z.array(TrieLevel).min(1) })
  .meta({ id: 'CheckpointTrie' });
export type CheckpointTrie = z.infer<typeof CheckpointTrie>;

/** One checkpoint of a state, where it is. */
export const StateHolding = z.strictObject({
  ...Holder.shape,
  build: BuildId,
  /** Distribution name of the manifest, and who submitted it; empty when the record knows nothing of the build any more. */
  name: z.string(),
  user: z.string(),
  variant: Name,
  lane: z.string(),
  checkpoint: z.string(),
  label: z.string(),
  takenAt: Millis,
  /** What its area takes there; see AreaView. */
  usedBytes: Bytes.nullable(),
  checkpointsInArea: z.number().int(),
  as: CollectedAs.nullable(),
  inUse: z.boolean(),
  going: z.boolean(),
  pinned: z.boolean(),
  /** Its submitter may bring own scripts: else only builds of such submitters go on from it. */
  trusted: z.boolean(),
});
export type StateHolding = z.infer<typeof StateHolding>;

/** All about one node. */
export const TrieNodeDetail = z
  .strictObject({
    node: TrieNode,
    /** Ids of the nodes that it is below, the topmost first. */
    path: z.array(TrieNodeId),
    /** The newest first, at most some hundreds. */
    holdings: z.array(StateHolding),
    holdingsInAll: z.number().int(),
    /** The newest build first, at most some hundreds. */
    sharedBy: z.array(z.strictObject({ build: BuildId, name: z.string(), variants: z.array(Name) })),
  })
  .meta({ id: 'TrieNodeDetail' });
export type TrieNodeDetail = z.infer<typeof TrieNodeDetail>;

export const DropCheckpoints = z
  .strictObject({
    /** Id, the beginning of one, or `latest`. */
    build: z.string().min(1).max(64),
    /** `null`: all of them. */
    variant: Name.nullable().default(null),
    /** Only there (id or name); `null`: wherever they are. */
    agent: Name.nullable().default(null),
    why: textOf(500).min(1),
  })
  .meta({ id: 'DropCheckpoints' });
export type DropCheckpoints = z.input<typeof DropCheckpoints>;
const Removal = z.strictObject({
  agent: AgentId,
  agentName: Name,
  build: BuildId,
  variant: Name,
  as: CollectedAs,
  usedBytes: Bytes.nullable(),
  why: z.string(),
});
export const DropReport = z
  .strictObject({
    /** Those that go first come first. */
    removals: z.array(Removal),
    /** What stays, and why. */
    refused: z.array(Removal.pick({ agent: true, agentName: true, build: true, variant: true, why: true })),
  })
  .meta({ id: 'DropReport' });
export type DropReport = z.infer<typeof DropReport>;

export const CollectNow = z
  .strictObject({
    /** Only there (id or name); `null`: on all agents. */
    agent: Name.nullable().default(null),
    /** So much is to be free on each of them, where its floor is not more. */
    freeBytes: Bytes.nullable().default(null),
    why: Why,
  })
  .meta({ id: 'CollectNow' });
export const CollectionReport = z
  .strictObject({
    /** Those that go first come first. */
    removals: z.array(Removal),
    /** Room that is wanted and cannot be made. */
    shortages: z.array(
      z.strictObject({
        /** `null`: of the farm as a whole. */
        agent: AgentId.nullable(),
        agentName: Name.nullable(),
        missingBytes: Bytes,
        /** What would be free without the pins of people. */
        pinnedBytes: Bytes,
        why: z.string(),
      }),
    ),
  })
  .meta({ id: 'CollectionReport' });
export type CollectionReport = z.infer<typeof CollectionReport>;

/** A script that everybody may use. */
export const CataloguedScript = z.strictObject({
  /** Of the script with all the files it includes. */
  sha256: Sha256,
  name: z.string().max(200),
  note: z.string().max(500),
  addedBy: Name,
  addedAt: Millis,
});
export type CataloguedScript = z.infer<typeof CataloguedScript>;
export const AddScripts = z
  .strictObject({
    scripts: z
      .array(z.strictObject({ sha256: Sha256, name: textOf(200), note: textOf(500).default('') }))
      .max(MAX_FILES),
  })
  .meta({ id: 'AddScripts' });
export const ScriptCatalogue = z
  .strictObject({ scripts: z.array(CataloguedScript) })
  .meta({ id: 'ScriptCatalogue' });

export const AuditEntry = z.strictObject({
  seq: z.number().int(),
  at: Millis,
  user: Name,
  tokenId: TokenId.nullable(),
  /** E.g. `build.cancel`. */
  action: z.string(),
  target: z.string(),
  why: z.string(),
  data: z.record(z.string(), z.unknown()),
  /** SHA-256 over the previous entry's hash and this entry: a changed or removed entry breaks the chain. */
  hash: Sha256,
});
export type AuditEntry = z.infer<typeof AuditEntry>;
export const AuditPage = z
  .strictObject({ entries: z.array(AuditEntry), next: z.number().int().nullable() })
  .meta({ id: 'AuditPage' });

export const Health = z
  .strictObject({
    status: z.enum(['ok', 'degraded']),
    version: z.string(),
    database: z.string(),
    redis: z.string(),
    /** Whether this process schedules. */
    scheduling: z.boolean(),
    agents: z.number().int(),
  })
  .meta({ id: 'Health' });
export type Health = z.infer<typeof Health>;
