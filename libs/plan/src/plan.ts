/**
 * What a build will do, decided before anything is touched: the steps, cut into jobs, and the boundaries between them
 * at which checkpoints are taken.
 */
export interface Plan {
  readonly distribution: string;
  /** Document order, as in the manifest. */
  readonly steps: readonly PlannedStep[];
  /** In the order one machine runs them; a job never needs a later one. */
  readonly jobs: readonly Job[];
  /** Every state a checkpoint is taken of, in the order one machine passes them. */
  readonly boundaries: readonly Boundary[];
  readonly digests: ManifestDigests;
}

export interface PlannedStep {
  readonly index: number;
  readonly name: string;
  readonly message: string;
  readonly lane: string;
  /** Absolute path. */
  readonly script: string;
  readonly scriptDigest: string;
  readonly args: readonly string[];
  readonly argsDigest: string;
  readonly outputs: readonly string[];
  /** Nodepaths the script may query, from the manifest or its own `# farm:reads:` lines; `null`: all but secrets. */
  readonly reads: readonly string[] | null;
  /** Variables that the script declares in its `# farm:environment:` lines, which one without declared reads gets anyhow. */
  readonly environment: readonly string[];
  readonly timeoutSeconds: number | null;
  readonly silenceSeconds: number | null;
  /** Room that must be free when the step starts. */
  readonly freeBytes: number;
}

/** A run of consecutive steps of one lane: what is started, resumed and (on a farm) dispatched as one. */
export interface Job {
  readonly index: number;
  readonly lane: string;
  readonly workspace: string;
  readonly steps: readonly PlannedStep[];
  readonly base: JobBase;
  /** Outputs of lanes that join here; they are brought in before the first step's boundary. */
  readonly imports: readonly OutputImport[];
}

export type JobBase =
  | { readonly kind: 'empty' }
  /** The lane's first job starts from a copy of what `main` was at `boundary`. */
  | { readonly kind: 'fork'; readonly boundary: Boundary }
  /** The lane goes on where its previous job ended. */
  | { readonly kind: 'continue'; readonly boundary: Boundary };

export interface OutputImport {
  readonly lane: string;
  /** Workspace to copy from. */
  readonly workspace: string;
  /** Relative to both workspaces. */
  readonly path: string;
}

/**
 * The state in front of a step ("checkpoint X" in the words of distro_const), or the state a job ends in when a later
 * job starts from it or imports from it.
 */
export interface Boundary {
  /** Position in `Plan.boundaries`. */
  readonly index: number;
  readonly job: number;
  readonly workspace: string;
  /** `.step_<name>` in front of a step, as distro_const named its snapshots; `.end_<name>` behind a job's last step. */
  readonly label: string;
  /** The step this boundary is in front of; `null` at the end of a job. */
  readonly before: PlannedStep | null;
  /** The step that led here within the job; `null` at its start. */
  readonly after: PlannedStep | null;
}

/** SHA-256 in hex of the manifest, in two readings. */
export interface ManifestDigests {
  /** Of the file's bytes. */
  readonly file: string;
  /** Of what scripts can query: changes of messages, comments and white space do not show. */
  readonly content: string;
}
