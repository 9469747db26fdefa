import { SnapshotStoreError } from '#libs/engine';
import type { CheckpointFacts } from '#libs/plan';
import type { Properties } from './dataset-properties.js';

/** A user property of zfs-fuse holds 1,024 bytes; OpenZFS allows 8,192. */
const PART_LENGTH = 1000;
const PARTS = 8;

/**
 * The facts of a checkpoint as user properties of its snapshot: JSON, in parts. The names are fixed, so that one `zfs get` reads them together
 * with what ZFS knows itself (which `zfs get all` leaves out).
 */
export const FACT_PROPERTIES: readonly string[] = Array.from(
  { length: PARTS },
  (_, part) => `org.distrofarm:facts.${part}`,
);

/** Throws SnapshotStoreError FAILED when the facts are too long to be kept. */
export function factsToProperties(
  facts: CheckpointFacts,
): readonly (readonly [name: string, value: string])[] {
  const json = toAscii(JSON.stringify(facts));
  if (json.length > PARTS * PART_LENGTH)
    throw new SnapshotStoreError(
      'FAILED',
      `the facts of a checkpoint take ${json.length} bytes, more than ZFS keeps`,
    );
  return FACT_PROPERTIES.slice(0, Math.ceil(json.length / PART_LENGTH)).map((name, part) => {
    // A leading "=", because ZFS prints a property without a value as "-".
    return [name, `=${json.slice(part * PART_LENGTH, (part + 1) * PART_LENGTH)}`];
  });
}

/** Without facts, or with damaged ones, none. */
export function factsFromProperties(properties: Properties): CheckpointFacts {
  const json = FACT_PROPERTIES.map((name) => (properties.get(name) ?? '').slice(1)).join('');
  try {
    const facts: unknown = JSON.parse(json);
    return isFacts(facts) ? facts : {};
  } catch {
    return {};
  }
}

function isFacts(value: unknown): value is CheckpointFacts {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((fact) => typeof fact === 'string');
}

/** JSON with every character beyond ASCII as an escape, so that parts can be cut anywhere. */
function toAscii(json: string): string {
  return json.replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
