import { z } from 'zod';
import { AgentId, BuildId, Bytes, Millis, Name, StepName } from '../ids.js';

/** A state of which somebody asks for the difference to another one. */
export const ComparedCheckpoint = z.strictObject({
  id: z.string(),
  build: BuildId,
  variant: Name,
  lane: z.string(),
  label: z.string(),
  /** The step it is in front of; `null` at the end of a job. */
  before: StepName.nullable(),
  /** `null`: no agent holds it any more. */
  takenAt: Millis.nullable(),
  /** Agents that hold it. */
  agents: z.array(z.strictObject({ agent: AgentId, agentName: Name })),
  /** What an agent says is in it. A listing outlives the checkpoint. */
  listing: z.discriminatedUnion('state', [
    z.strictObject({ state: z.literal('ready'), entries: z.number().int(), bytes: Bytes, madeAt: Millis }),
    /** `why` names who is asked. */
    z.strictObject({ state: z.literal('waiting'), why: z.string(), since: Millis }),
    /** Nobody makes one: asked later, it may be different. */
    z.strictObject({ state: z.literal('failed'), why: z.string() }),
  ]),
});
export type ComparedCheckpoint = z.infer<typeof ComparedCheckpoint>;

const Counts = z.strictObject({
  added: z.number().int(),
  removed: z.number().int(),
  changed: z.number().int(),
  same: z.number().int(),
});

export const PackageChange = z.strictObject({
  name: z.string(),
  architecture: z.string(),
  /** Version; `null`: it is not there. */
  from: z.string().nullable(),
  to: z.string().nullable(),
});
export type PackageChange = z.infer<typeof PackageChange>;

export const FileFacts = z.strictObject({
  type: z.enum(['file', 'folder', 'link', 'block-device', 'character-device', 'pipe', 'socket']),
  /** The twelve bits of chmod. */
  mode: z.number().int(),
  uid: z.number().int(),
  gid: z.number().int(),
  /** Of a file; 0 of everything else. */
  bytes: Bytes,
  /** Where a link leads, or `major:minor` of a device. Shown as paths are. */
  target: z.string().nullable(),
});
export type FileFacts = z.infer<typeof FileFacts>;

export const FileChange = z.strictObject({
  /** Bytes that are no UTF-8 are `\xff`, characters that hide or turn text `\u{202e}`, and backslashes doubled. */
  path: z.string(),
  change: z.enum(['added', 'removed', 'changed']),
  /** Of what changed, what is not the same; times are not compared. */
  parts: z.array(z.enum(['type', 'content', 'target', 'device', 'mode', 'owner'])),
  from: FileFacts.nullable(),
  to: FileFacts.nullable(),
});
export type FileChange = z.infer<typeof FileChange>;

/** Most file changes of one page. */
export const MOST_FILE_CHANGES = 5_000;
/** Most lines about folders. */
export const MOST_CHANGED_FOLDERS = 30;

export const CheckpointDiff = z
  .discriminatedUnion('state', [
    /** Listings are being made, or cannot be: `from` and `to` say. Ask again. */
    z.strictObject({ state: z.literal('waiting'), from: ComparedCheckpoint, to: ComparedCheckpoint }),
    z.strictObject({ state: z.literal('failed'), from: ComparedCheckpoint, to: ComparedCheckpoint }),
    z.strictObject({
      state: z.literal('ready'),
      from: ComparedCheckpoint,
      to: ComparedCheckpoint,
      files: Counts,
      /** Of the files and folders, by how much `to` is larger: sizes of files, a file with two names twice. */
      addedBytes: Bytes,
      removedBytes: Bytes,
      /** By how much changed files grew; negative: shrank. */
      changedBytes: z.number().int(),
      /** What dpkg has in pkg_image; `null`: neither of the two has dpkg. */
      packages: z.strictObject({ counts: Counts, changes: z.array(PackageChange) }).nullable(),
      /** Where the changes are: each change counts in one line. */
      folders: z.array(
        z.strictObject({
          path: z.string(),
          added: z.number().int(),
          removed: z.number().int(),
          changed: z.number().int(),
          /** By how much it grew. */
          bytes: z.number().int(),
          /** False: without folders below that have a line of their own. */
          whole: z.boolean(),
        }),
      ),
      /** A page of what changed, by path. */
      changes: z.array(FileChange),
      /** Changes that the filter lets through, on all pages. */
      matching: z.number().int(),
      /** `offset` of the next page. */
      next: z.number().int().nullable(),
    }),
  ])
  .meta({ id: 'CheckpointDiff' });
export type CheckpointDiff = z.infer<typeof CheckpointDiff>;
export type ReadyDiff = Extract<CheckpointDiff, { readonly state: 'ready' }>;
