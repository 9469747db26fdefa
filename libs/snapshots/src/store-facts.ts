import { SnapshotStoreError } from '#libs/engine';
import type { CheckpointFacts } from '#libs/plan';

const KEY = /^[a-z][a-z0-9-]{0,30}$/;
const MAX_VALUE_BYTES = 1000;

/** Throws SnapshotStoreError FAILED for facts outside of what `CheckpointFacts` allows, which not every store could give back exactly. */
export function refuseBadFacts(facts: CheckpointFacts): void {
  for (const [key, value] of Object.entries(facts)) {
    const bytes = Buffer.from(value);
    // Half a surrogate pair has no UTF-8: it would come back as another character.
    const isExact = bytes.toString() === value && !/[\t\n\0]/.test(value);
    if (KEY.test(key) && isExact && bytes.length <= MAX_VALUE_BYTES) continue;
    throw new SnapshotStoreError('FAILED', `the fact "${key}" cannot be kept with a checkpoint`);
  }
}
