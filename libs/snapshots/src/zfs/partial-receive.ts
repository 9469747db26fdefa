import type { CheckpointId } from '#libs/engine';
import type { Checkpoint } from '#libs/plan';
import { isCode } from '../store-errors.js';
import type { DatasetName } from './dataset-name.js';
import { readProperties } from './dataset-properties.js';
import { parseResumeToken, type ResumeToken } from './resume-token.js';
import type { WorkspaceState } from './workspace-state.js';
import type { ZfsCommand } from './zfs-command.js';

const MOST_AGE_SECONDS = 24 * 60 * 60;

/** What is kept in a workspace of the checkpoint from the base, and can be gone on with as the workspace is now; `null`: nothing of it. */
export function partialOf(
  state: WorkspaceState | null,
  checkpoint: CheckpointId,
  base: Checkpoint | null,
): ResumeToken | null {
  if (state?.isOurs !== true || state.resumeToken === null) return null;
  const isInPlace =
    base?.workspace === checkpoint.workspace
      ? !state.isHalf && state.snapshots.at(-1)?.guid === base.id
      : state.isHalf;
  const token = parseResumeToken(state.resumeToken);
  if (!isInPlace || token === null) return null;
  return token.toGuid === checkpoint.id && token.fromGuid === (base?.id ?? null) ? token : null;
}

/** Whether what is kept of a receive began to come more than a day ago: nobody has missed it. */
export async function isOld(zfs: ZfsCommand, { dataset, resumeToken }: WorkspaceState): Promise<boolean> {
  if (resumeToken === null) return false;
  const createdAt = (await creationOf(zfs, `${dataset}/%recv`)) ?? (await creationOf(zfs, dataset));
  return createdAt !== null && Date.now() / 1000 - createdAt > MOST_AGE_SECONDS;
}

/** In seconds since 1970; `null` where there is no such dataset. Increments come into one of this name, which is listed nowhere. */
async function creationOf(zfs: ZfsCommand, dataset: string): Promise<number | null> {
  try {
    const properties = (await readProperties(zfs, dataset as DatasetName, 0, ['creation'])).get(dataset);
    return Number(properties?.get('creation'));
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return null;
    throw error;
  }
}
