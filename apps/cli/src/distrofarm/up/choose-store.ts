import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { rememberedStore, rememberStore, type FarmFolder } from './farm-folder.js';

const run = promisify(execFile);

/** The pool that scripts/zfs-pool.sh makes. */
const POOL = 'distrofarm';
const DATASET = `${POOL}/up`;
/** A pool that is suspended never answers. */
const ZPOOL_TIMEOUT_MS = 10_000;

export interface ChosenStore {
  /** As DISTROFARM_AGENT_STORE has it: `pool/name` or an absolute folder. */
  readonly place: string;
  /** For people: what it is, and why this one. */
  readonly words: string;
}

/**
 * The one asked for, else the one of the last time, since the checkpoints are there; else a dataset below the pool `distrofarm`, or a folder
 * where there is no such pool. It is the one of the last time from now on.
 */
export async function chooseStore(
  folder: FarmFolder,
  asked: string | null,
  hasPool: () => Promise<boolean> = hasOwnPool,
): Promise<ChosenStore> {
  const before = await rememberedStore(folder);
  const chosen = await choose(folder, asked, before, hasPool);
  if (chosen.place !== before) await rememberStore(folder, chosen.place);
  return chosen;
}

async function choose(
  folder: FarmFolder,
  asked: string | null,
  before: string | null,
  hasPool: () => Promise<boolean>,
): Promise<ChosenStore> {
  if (asked !== null && before !== null && asked !== before)
    return { place: asked, words: `${kindOf(asked)}; the checkpoints in ${before} are not used` };
  const known = asked ?? before;
  if (known !== null) return { place: known, words: kindOf(known) };
  if (await hasPool()) return { place: DATASET, words: kindOf(DATASET) };
  const words = `copies in ${folder.areas}: there is no ZFS pool "${POOL}" (scripts/zfs-pool.sh makes one)`;
  return { place: folder.areas, words };
}

function kindOf(place: string): string {
  return place.startsWith('/') ? `copies in ${place}` : `ZFS dataset ${place}`;
}

async function hasOwnPool(): Promise<boolean> {
  try {
    await run('zpool', ['list', '-H', '-o', 'name', POOL], { timeout: ZPOOL_TIMEOUT_MS });
    return true;
  } catch {
    // Not installed, no such pool, or nobody who answers: in each case there is no pool to use.
    return false;
  }
}
