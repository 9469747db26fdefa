import type { ColumnType } from 'kysely';
import type {
  AgentFacts,
  AgentId,
  AgentLoad,
  AskId,
  AttemptEnd,
  AttemptId,
  AttemptState,
  BuildId,
  BuildState,
  EventType,
  JobId,
  ListingId,
  JobState,
  Priority,
  Right,
  Role,
  StepOutcome,
  StepState,
  TokenId,
  PeerAddress,
  RedeemedTicket,
  UploadId,
  VariantId,
  Wish,
} from '#libs/contracts';

/**
 * The tables of the database of record, one schema for SQLite and PostgreSQL. Rules that keep it one: ids are text, times are milliseconds in a
 * `bigint`, flags are 0 or 1, structures are JSON in a text column (`Json`; stringify and parse with `toJson` and `fromJson`), and nothing uses what only
 * one of the two has. What each table is for is said here; who changes it, in the file of that name beside this one.
 */
export interface Schema {
  readonly meta: MetaTable;
  readonly counters: CountersTable;
  readonly duties: DutiesTable;
  readonly tokens: TokensTable;
  readonly enrolments: EnrolmentsTable;
  readonly agents: AgentsTable;
  readonly scripts: ScriptsTable;
  readonly manifests: ManifestsTable;
  readonly builds: BuildsTable;
  readonly variants: VariantsTable;
  readonly jobs: JobsTable;
  readonly boundary_keys: BoundaryKeysTable;
  readonly states: StatesTable;
  readonly pins: PinsTable;
  readonly steps: StepsTable;
  readonly fingerprint_asks: FingerprintAsksTable;
  readonly step_fingerprints: StepFingerprintsTable;
  readonly attempts: AttemptsTable;
  readonly attempt_steps: AttemptStepsTable;
  readonly step_times: StepTimesTable;
  readonly step_reads: StepReadsTable;
  readonly outputs: OutputsTable;
  readonly output_pieces: OutputPiecesTable;
  readonly checkpoints: CheckpointsTable;
  readonly listings: ListingsTable;
  readonly area_sizes: AreaSizesTable;
  readonly checkpoint_pins: CheckpointPinsTable;
  readonly fetch_times: FetchTimesTable;
  readonly tickets: TicketsTable;
  readonly blobs: BlobsTable;
  readonly uploads: UploadsTable;
  readonly artifacts: ArtifactsTable;
  readonly log_chunks: LogChunksTable;
  readonly outbox: OutboxTable;
  readonly events: EventsTable;
  readonly audit: AuditTable;
}

/** Text that is the JSON of a `T`. */
export type Json<T> = ColumnType<string, string, string> & { readonly __json?: T };
export type Flag = 0 | 1;

/** Facts of the farm: its name, when it was made. */
export interface MetaTable {
  readonly key: string;
  readonly value: string;
}

/** Numbers given out in order of commit; `events` is the one of the event sequence. */
export interface CountersTable {
  readonly name: string;
  readonly value: number;
}

/** What exactly one coordinator does at a time, and until when it is that one's. */
export interface DutiesTable {
  readonly name: string;
  readonly holder: string;
  readonly expires_at: number;
}

export interface TokensTable {
  readonly id: TokenId;
  /** SHA-256 (hex) of the secret, which is kept nowhere. */
  readonly hash: string;
  readonly user: string;
  readonly role: Role;
  readonly rights: Json<readonly Right[]>;
  readonly note: string;
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly last_used_at: number | null;
  readonly revoked_at: number | null;
}

/** One-use tokens to enrol an agent with. */
export interface EnrolmentsTable {
  readonly hash: string;
  /** Name the agent must take; `null`: its own choice. */
  readonly name: string | null;
  readonly created_by: string;
  readonly created_at: number;
  readonly expires_at: number;
  readonly used_at: number | null;
  readonly agent_id: AgentId | null;
}

export interface AgentsTable {
  readonly id: AgentId;
  readonly name: string;
  readonly key_hash: string;
  readonly facts: Json<AgentFacts>;
  readonly load: Json<AgentLoad> | null;
  /** Of the process that said hello last; calls of another are refused. */
  readonly instance: string | null;
  readonly drained: Flag;
  /** Drained, it keeps the jobs that it has. */
  readonly lets_finish: Flag;
  readonly paused: Flag;
  readonly paused_until: number | null;
  /** Why it is drained or paused, and by whom. */
  readonly reason: string;
  /** Its host told it to stop. */
  readonly leaving: Flag;
  readonly enrolled_at: number;
  readonly last_seen_at: number | null;
  /** When the coordinator said that it is lost; `null` while it answers. */
  readonly lost_at: number | null;
  readonly revoked_at: number | null;
  /** Infrastructure failures in a row, and until when it therefore gets nothing. */
  readonly failures: number;
  readonly quarantined_until: number | null;
  /** Areas it has been told to drop and has not said it did: JSON list of names. */
  readonly dropping: Json<readonly string[]>;
  /** Where other agents fetch its checkpoints, as its last hello said. */
  readonly peer: Json<PeerAddress> | null;
}

/** The catalogue: scripts that everybody may use, by digest of the script with its included files. */
export interface ScriptsTable {
  readonly sha256: string;
  readonly name: string;
  readonly note: string;
  readonly added_by: string;
  readonly added_at: number;
}

export interface ManifestsTable {
  readonly sha256: string;
  readonly text: string;
}

export interface SubmittedFileRecord {
  readonly path: string;
  readonly executable: boolean;
  readonly sha256: string;
  readonly bytes: number;
}

export interface BuildsTable {
  readonly id: BuildId;
  /** Distribution name of the manifest. */
  readonly name: string;
  readonly user: string;
  readonly idempotency_key: string | null;
  readonly manifest_sha256: string;
  readonly manifest_path: string;
  readonly files: Json<readonly SubmittedFileRecord[]>;
  readonly source_date_epoch: number;
  readonly priority: Priority;
  readonly on_agent: AgentId | null;
  readonly note: string;
  readonly wish: Wish;
  /** Name of the step that must not run, and no later one. */
  readonly pause_before: string | null;
  readonly state: BuildState;
  /** Taken although no agent could ever run it. */
  readonly waits: Flag;
  /** Copies of its checkpoints that are to be on other agents. */
  readonly replicas: number;
  /** A step does not start before they are there of the checkpoint in front of it; else of the one before that. */
  readonly waits_for_replicas: Flag;
  /** Its jobs may go on from what others made of the same steps. */
  readonly reuse: Flag;
  /** Whoever submitted it may bring own scripts. What it makes is not for trusted builds otherwise. */
  readonly trusted: Flag;
  readonly created_at: number;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  /** When retention removed its checkpoints and artifacts; rows and logs' index stay. */
  readonly collected_at: number | null;
}

export interface VariantsTable {
  readonly id: VariantId;
  readonly build_id: BuildId;
  readonly name: string;
  readonly plan_content_sha256: string;
  /** 1: the build can succeed without it. */
  readonly optional: number;
  /** Its step keys are not known yet, since fingerprints are being asked for: no job of its build begins to wait for an agent. */
  readonly keys_wait: Flag;
}

/** Where the checkpoint is that a job ended at, when another job took it. */
export interface EndOriginRecord {
  readonly build: BuildId;
  readonly variant: string;
  readonly lineage: string;
  readonly workspace: string;
  readonly label: string;
}

/** What a job goes on from, when not from nothing. */
export interface JobBaseRecord {
  /** Index of the job, of the same variant, at whose end the boundary is. */
  readonly job: number;
  readonly workspace: string;
  readonly label: string;
}
export interface JobImportRecord {
  readonly lane: string;
  readonly path: string;
  /** Index of the job that writes it. */
  readonly job: number;
}
export interface JobRequirements {
  readonly architecture: string;
  readonly labels: readonly string[];
  readonly tools: readonly string[];
  readonly freeBytes: number;
}
/** An earlier generation whose checkpoints are good up to the boundary in front of a step; see Assignment.ancestry. */
export interface JobAncestor {
  readonly generation: number;
  readonly upTo: string;
  /** That step's index in the plan. */
  readonly upToIndex: number;
}

export interface JobsTable {
  readonly id: JobId;
  readonly build_id: BuildId;
  readonly variant_id: VariantId;
  /** Index in the plan. */
  readonly index: number;
  readonly lane: string;
  readonly workspace: string;
  readonly state: JobState;
  readonly waiting_reason: string;
  /** When it began to wait: what ageing counts from. */
  readonly waiting_since: number | null;
  /** Indexes of jobs of its variant. */
  readonly needs: Json<readonly number[]>;
  /** The three of JobBaseRecord, or none of them. */
  readonly base_job: number | null;
  readonly base_workspace: string | null;
  readonly base_label: string | null;
  readonly imports: Json<readonly JobImportRecord[]>;
  readonly requires: Json<JobRequirements>;
  /** Label of the boundary at its end when another job goes on from there. */
  readonly end_label: string | null;
  /** Id of the checkpoint that its attempt took there, or went on from; once it has succeeded, what others go on from. */
  readonly end_checkpoint: string | null;
  /** Step key of the state behind its last step; `null`: nobody can say what it is equal to. */
  readonly end_key: string | null;
  /** Where that checkpoint is, when the job took its results over from another one. */
  readonly end_origin: Json<EndOriginRecord> | null;
  /** Only grows; every write of an attempt carries it. */
  readonly epoch: number;
  /** Raised when it is set back: checkpoints of older generations are worth nothing, but for what `ancestry` says. */
  readonly generation: number;
  readonly ancestry: Json<readonly JobAncestor[]>;
  /** Automatic retries since a person last had a say. */
  readonly retries: number;
  /** Agents it failed on by no fault of its own. */
  readonly avoid: Json<readonly AgentId[]>;
  readonly ended_at: number | null;
}

/** Step keys of the states in front of a job's steps, and at its end where a checkpoint is taken. Those that nobody can know are missing. */
export interface BoundaryKeysTable {
  readonly job_id: JobId;
  /** Among the job's boundaries, from 1 on. */
  readonly position: number;
  readonly key: string;
}

/** What a step key is of, once for all jobs that have it. The key says the same; nobody can read it there. */
export interface StatesTable {
  readonly key: string;
  /** Key of the state that it comes from; `null`: from nothing. */
  readonly parent: string | null;
  /** Name of the step that leads from there to here, as the first build called it; `null`: a lane begins here. */
  readonly step: string | null;
}

/** Jobs that only one agent may have, because somebody said so when they were resumed. */
export interface PinsTable {
  readonly job_id: JobId;
  readonly agent_id: AgentId;
}

/** The steps of a job as they stand now; their history is in attempt_steps. */
export interface StepsTable {
  readonly job_id: JobId;
  /** Index in the plan. */
  readonly index: number;
  readonly name: string;
  readonly message: string;
  readonly state: StepState;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly outcome: Json<StepOutcome> | null;
  readonly attempt_id: AttemptId | null;
  /** The build whose step did the same, so that this one did not have to run. */
  readonly reused_from: BuildId | null;
}

/** What an agent has to know to run a fingerprint command, and who may. */
export interface FingerprintRequestRecord {
  readonly manifestSha256: string;
  readonly manifestPath: string;
  readonly files: readonly SubmittedFileRecord[];
  readonly variant: string;
  readonly step: string;
  readonly sourceDateEpoch: number;
  readonly planContentSha256: string;
  readonly requires: JobRequirements;
  /** Only this agent. */
  readonly onAgent: AgentId | null;
}

/** Asks for fingerprints: each is answered once, by one agent. */
export interface FingerprintAsksTable {
  readonly id: AskId;
  /** Equal for asks that have the same answer at the same time. */
  readonly digest: string;
  readonly request: Json<FingerprintRequestRecord>;
  readonly asked_at: number;
  /** Who took it last, and when; only that agent's answer counts. */
  readonly agent_id: AgentId | null;
  readonly taken_at: number | null;
  /** Why that agent could not run it. */
  readonly unable: string | null;
  readonly answered_at: number | null;
  /** Digest of what the command wrote. */
  readonly output: string | null;
  /** Or why there is none, as a sentence. */
  readonly failure: string | null;
}

/** Which ask says what a step's fingerprint is; several steps may share one. */
export interface StepFingerprintsTable {
  readonly variant_id: VariantId;
  /** Index of the step in the plan. */
  readonly index: number;
  readonly step: string;
  readonly ask_id: AskId;
}

export interface AttemptsTable {
  readonly id: AttemptId;
  readonly job_id: JobId;
  readonly build_id: BuildId;
  /** From 1 within the job. */
  readonly number: number;
  readonly epoch: number;
  readonly agent_id: AgentId;
  /** SHA-256 (hex) of its token, which is also the token of its BullMQ lock; `null` before an agent fetched it. */
  readonly token_hash: string | null;
  readonly state: AttemptState;
  readonly phase: string | null;
  readonly lineage: string;
  /** How many of the job's boundaries, from its first on, it may fetch: what is behind them runs again, since that is cheaper. `null`: all. */
  readonly fetch_up_to: number | null;
  readonly assigned_at: number;
  readonly claimed_at: number | null;
  readonly ended_at: number | null;
  /** Not to be given to another before then. */
  readonly lease_until: number | null;
  readonly end: Json<AttemptEnd> | null;
  /** Newest report that is kept. */
  readonly last_seq: number;
  readonly log_bytes: number;
  /** Of the log, as the agent said at its end; `null` before. The log is whole when `log_bytes` is that much. */
  readonly log_final_bytes: number | null;
  /** Since when it has been in want of copies of its checkpoints that are not there yet; `null`: they are. */
  readonly copies_late_since: number | null;
  /** Label of the newest that it has asked for. */
  readonly copies_late_of: string | null;
}

export interface AttemptStepsTable {
  readonly attempt_id: AttemptId;
  readonly index: number;
  readonly started_at: number;
  readonly ended_at: number | null;
  readonly outcome: Json<StepOutcome> | null;
}

/** How long steps took that succeeded: what "usual" is. */
export interface StepTimesTable {
  readonly attempt_id: AttemptId;
  readonly distribution: string;
  readonly step: string;
  readonly ms: number;
  readonly at: number;
}

/** What scripts asked of the manifest: one row for a step's name and script, of its newest run. */
export interface StepReadsTable {
  readonly step: string;
  /** SHA-256 of the script with what it includes. */
  readonly script: string;
  readonly nodepaths: Json<readonly string[]>;
  readonly build_id: BuildId;
  readonly at: number;
}

/** Trees that a job hands on: declared outputs by path, its end state by the empty path. */
export interface OutputsTable {
  readonly job_id: JobId;
  readonly path: string;
  readonly attempt_id: AttemptId;
  readonly tree_sha256: string;
}

/** The blobs that an output's packed tree is made of, in order. */
export interface OutputPiecesTable {
  readonly job_id: JobId;
  readonly path: string;
  readonly position: number;
  readonly sha256: string;
  readonly bytes: number;
}

/** What agents said their stores hold: a cache of that truth. */
export interface CheckpointsTable {
  readonly agent_id: AgentId;
  readonly id: string;
  readonly build_id: BuildId;
  readonly variant: string;
  readonly lineage: string;
  readonly workspace: string;
  readonly label: string;
  readonly taken_at: number;
  /** Id of the checkpoint that it continues; empty for the first of a job. */
  readonly previous: string;
  /** Step key of its state; `null`: nobody knows. */
  readonly key: string | null;
  /** The agent holds no checkpoint that it continues. */
  readonly begins: Flag;
}

/** What is in a checkpoint, as an agent was asked for it; it outlives the checkpoint. */
export interface ListingsTable {
  readonly id: ListingId;
  readonly checkpoint_id: string;
  readonly build_id: BuildId;
  readonly variant: string;
  readonly workspace: string;
  readonly label: string;
  readonly asked_at: number;
  /** When somebody last wanted to see it. */
  readonly wanted_at: number;
  /** Who took it last, and when; only that agent's answer counts. */
  readonly agent_id: AgentId | null;
  readonly taken_at: number | null;
  readonly answered_at: number | null;
  /** Blob of the listing, and what is in it. */
  readonly sha256: string | null;
  readonly entries: number | null;
  /** Of all files of the tree. */
  readonly bytes: number | null;
  /** Or why there is none, as a sentence. */
  readonly failure: string | null;
}

/** What agents said that areas take in their stores. */
export interface AreaSizesTable {
  readonly agent_id: AgentId;
  readonly build_id: BuildId;
  readonly variant: string;
  /** What would be free without it. */
  readonly used_bytes: number;
  readonly measured_at: number;
}

/** Checkpoints that no policy removes, because somebody said so. */
export interface CheckpointPinsTable {
  readonly build_id: BuildId;
  /** Empty: all variants. */
  readonly variant: string;
  readonly user: string;
  readonly why: string;
  readonly pinned_at: number;
}

/** How long a checkpoint took from agent to agent. */
export interface FetchTimesTable {
  readonly store: AgentFacts['store']['kind'];
  /** Of which distribution's steps it is, and in front of which: what is known of it before it comes. */
  readonly distribution: string;
  readonly label: string;
  readonly bytes: number;
  readonly ms: number;
  readonly at: number;
}

/** Leaves to fetch one checkpoint once. */
export interface TicketsTable {
  /** SHA-256 (hex) of the ticket. */
  readonly hash: string;
  readonly source_id: AgentId;
  readonly transfer: Json<RedeemedTicket>;
  readonly expires_at: number;
  readonly used_at: number | null;
}

/** Bytes that the artifact store holds, by content. */
export interface BlobsTable {
  readonly sha256: string;
  readonly bytes: number;
  readonly created_at: number;
}

/** Blobs on their way. */
export interface UploadsTable {
  readonly id: UploadId;
  readonly attempt_id: AttemptId;
  readonly sha256: string;
  readonly bytes: number;
  readonly created_at: number;
}

export interface ArtifactsTable {
  readonly build_id: BuildId;
  readonly variant: string;
  readonly name: string;
  readonly job_id: JobId;
  readonly attempt_id: AttemptId;
  readonly sha256: string;
  readonly bytes: number;
  readonly published_at: number;
  readonly available: Flag;
}

/** Index of an attempt's log. `lost` counts bytes that never came, in front of this chunk. */
export interface LogChunksTable {
  readonly attempt_id: AttemptId;
  readonly offset: number;
  readonly bytes: number;
  readonly received_at: number;
}

/** Messages to be given to BullMQ: written with what they tell of, in one transaction. */
export interface OutboxTable {
  readonly attempt_id: AttemptId;
  readonly agent_id: AgentId;
  readonly epoch: number;
  readonly created_at: number;
  readonly sent_at: number | null;
}

export interface EventsTable {
  readonly seq: number;
  readonly at: number;
  readonly type: EventType;
  readonly build_id: BuildId | null;
  readonly job_id: JobId | null;
  readonly attempt_id: AttemptId | null;
  readonly agent_id: AgentId | null;
  readonly data: Json<Readonly<Record<string, unknown>>>;
}

export interface AuditTable {
  readonly seq: number;
  readonly at: number;
  readonly user: string;
  readonly token_id: TokenId | null;
  readonly action: string;
  readonly target: string;
  readonly why: string;
  readonly data: Json<Readonly<Record<string, unknown>>>;
  readonly hash: string;
}
