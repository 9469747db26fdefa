import { SnapshotStoreError } from '#libs/engine';
import type { Checkpoint } from '#libs/plan';
import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { isCode } from '../store-errors.js';
import { badStream } from '../store-errors.js';
import type { BtrfsCommand } from './btrfs-command.js';
import { ByteReader } from './byte-reader.js';
import { TREE } from '../checkpoint-records.js';
import { takeBeginning } from './checkpoint-stream.js';
import { checkedSendStream, type ReceivedBase } from './send-stream.js';
import { deleteSubvolumes, readSubvolume } from './subvolumes.js';

export interface AnnouncedTree {
  readonly checkpoint: Checkpoint;
  readonly base: (Checkpoint & { readonly tree: string }) | null;
  /** Subvolume that has all of this in it. */
  readonly top: string;
  /** An empty folder, for the tree. */
  readonly folder: string;
}

/** Name of what a base is received as beside the tree, for the time being. */
const OWN_BASE = 'base';

/**
 * Makes the checkpoint's tree in `folder` from a stream: read-only, and alone there. Throws BAD_STREAM, NO_SPACE, BACKEND_DOWN; what is in the folder then is
 * for the caller to remove.
 */
export async function receiveTree(
  btrfs: BtrfsCommand,
  stream: Readable,
  { checkpoint, base, top, folder }: AnnouncedTree,
): Promise<void> {
  const reader = new ByteReader(stream);
  await takeBeginning(reader, checkpoint, base);
  const receivedUuid = randomUUID();
  const from = base === null ? null : await receivedBase(btrfs, base.tree);
  const checked = checkedSendStream(reader, { name: TREE, receivedUuid, base: from });
  await btrfs.receive(checked, top, folder).catch((error: unknown) => {
    throw asBadStream(error);
  });
  const made = (await readdir(folder)).toSorted();
  const tree = await readSubvolume(btrfs, join(folder, TREE));
  const isExpected =
    made.join('/') === (from?.own == null ? TREE : `${from.own.name}/${TREE}`) &&
    tree?.receivedUuid === receivedUuid &&
    tree.isReadOnly;
  if (!isExpected) throw badStream(`the stream has made ${made.join(', ')}, and not one whole tree`);
  await deleteSubvolumes(btrfs, join(folder, OWN_BASE));
}

async function receivedBase(btrfs: BtrfsCommand, path: string): Promise<ReceivedBase> {
  const tree = await readSubvolume(btrfs, path);
  if (tree === null) throw new SnapshotStoreError('NOT_FOUND', `the checkpoint in ${path} is gone`);
  const { uuid, receivedUuid } = tree;
  if (receivedUuid !== null) return { receivedUuid, own: null };
  return { receivedUuid: randomUUID(), own: { uuid, name: OWN_BASE } };
}

/** What `btrfs receive` says of a stream that it cannot use has no words of its own among a store's. */
function asBadStream(error: unknown): unknown {
  const isOurs = (['BAD_STREAM', 'NO_SPACE', 'BACKEND_DOWN'] as const).some((code) => isCode(error, code));
  return isOurs ? error : badStream(error instanceof Error ? error.message : String(error), error);
}
