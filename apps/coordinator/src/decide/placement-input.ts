import type { AgentId, BuildId, JobId, Priority } from '#libs/contracts';
import type { UsualFetch } from '#libs/store';
import type { Peer } from './can-send-to.js';

/** All that a scheduling pass looks at. Nothing in it is changed by the pass. */
export interface PlacementInput {
  /** Jobs in state `waiting` that nothing holds back: no pause, no wish to cancel. */
  readonly jobs: readonly WaitingJob[];
  readonly agents: readonly CandidateAgent[];
  readonly holders: Holders;
  /** Step keys of states that agents are about to make, and for whom. */
  readonly underWay?: UnderWay;
  /** How checkpoints usually come, by store family; see DEFAULT_FETCH_MS. */
  readonly fetches?: ReadonlyMap<string, UsualFetch>;
  /** Attempts assigned or running, by user. */
  readonly runningByUser: ReadonlyMap<string, number>;
  readonly limits: {
    readonly runningPerUser: number;
    /** Placed in one pass at most; the jobs behind are not looked at. Default: as many as there is room for. */
    readonly placements?: number;
  };
  /** What the pass before gave back as `served`; empty after a start, which only lets jobs age a little faster once. */
  readonly served?: Served;
  /** Milliseconds since 1970, as all times here. */
  readonly now: number;
}

/** By step key, who makes the state. */
export interface UnderWay {
  /** Of trusted builds. */
  readonly trusted: ReadonlyMap<string, string>;
  /** Those, and all others. */
  readonly all: ReadonlyMap<string, string>;
}

export interface WaitingJob {
  readonly id: JobId;
  readonly build: BuildId;
  readonly user: string;
  readonly priority: Priority;
  /** When it began to wait: a retry begins anew. */
  readonly waitingSince: number;
  /** When its build was submitted. */
  readonly createdAt: number;
  /** Index in the plan. */
  readonly index: number;
  readonly requires: JobRequires;
  /** It may run only there: whoever submitted or resumed it said so. */
  readonly onAgent: AgentId | null;
  /** Agents it failed on by no fault of its own. */
  readonly avoid: readonly AgentId[];
  readonly wants: WantedState;
  /**
   * Steps that earlier attempts finished and kept with a checkpoint, from the job's first on, and what each took (`null`: nobody knows): what has to be carried or repeated
   * elsewhere.
   */
  readonly done: readonly DoneStep[];
  /** These are all that it has: others may have gone on from where it ended. */
  readonly isComplete: boolean;
  /** So many of them are in front of the step from which on a person had it run again. */
  readonly ordered: number;
  /** What its boundaries usually measured when they moved, from the first on; `null`: none has. */
  readonly boundaryBytes: readonly (number | null)[];
  /** Step key of the first state on its way that nobody has; `null`: it does not matter who else makes it. */
  readonly nextKey?: string | null;
  /** It takes nothing that an untrusted build makes. */
  readonly isTrusted?: boolean;
}

export interface DoneStep {
  readonly name: string;
  readonly ms: number | null;
}

export interface JobRequires {
  readonly architecture: string;
  readonly labels: readonly string[];
  readonly tools: readonly string[];
  readonly freeBytes: number;
}

/** Which checkpoints make a job quick, and which it cannot do without. */
export interface WantedState {
  /** Its own: whoever holds these repeats no finished step. */
  readonly lineage: string;
  /** What it goes on from, as one key. Unless published, only an agent that holds it can run the job. */
  readonly base: {
    readonly lineage: string;
    readonly published: boolean;
    /** Of what was published. */
    readonly bytes?: number | null;
  } | null;
}

export type AgentCondition = 'ready' | 'drained' | 'paused' | 'lost' | 'revoked' | 'leaving' | 'quarantined';

export interface CandidateAgent {
  readonly id: AgentId;
  readonly name: string;
  readonly architectures: readonly string[];
  /** `only:<label>` reserves the agent; see `abilityGaps`. */
  readonly labels: readonly string[];
  readonly tools: readonly string[];
  readonly slots: number;
  /** Attempts assigned to it or running on it. */
  readonly running: number;
  /** As its last heartbeat said, less what jobs assigned since then asked for. */
  readonly freeBytes: number;
  /** All that its store has, free or not. */
  readonly totalBytes: number;
  /** Load average of one minute per processor. */
  readonly cpuLoad: number;
  readonly state: AgentCondition;
  /** `<who>: <why>` of a drained or paused agent; empty otherwise. */
  readonly reason: string;
  /** When a pause or quarantine ends by itself. */
  readonly until: number | null;
  readonly lastAssignedAt: number | null;
  /** Whether and whom it sends checkpoints. */
  readonly peer: Peer;
}

/** Lineage → agents that hold checkpoints of it → how many of the job's boundaries, from its first on, up to the newest that is held. */
export type Holders = ReadonlyMap<string, ReadonlyMap<AgentId, number>>;

/** The job of a user and priority that was placed last: when, and where in the line it stood. By `servedKey`. */
export type Served = ReadonlyMap<string, ServedJob>;
export interface ServedJob {
  readonly at: number;
  readonly createdAt: number;
  readonly index: number;
}

export function servedKey(of: { readonly user: string; readonly priority: Priority }): string {
  return `${of.priority} ${of.user}`;
}
