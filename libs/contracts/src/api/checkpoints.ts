import { z } from 'zod';
import { AgentId, BuildId, Bytes, Millis, Name, StepName, textOf } from '../ids.js';
import { Why } from './why.js';

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
