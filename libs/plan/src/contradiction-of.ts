import { decodeFacts } from './boundary-facts.js';
import type { Checkpoint } from './checkpoint.js';
import type { Boundary } from './plan.js';

/**
 * Why a checkpoint is not the state that its key says, in words; `null`: nothing speaks against it. Its key is looked for in the farm's record, and that has it from a property of the
 * checkpoint, which an operator or another program can change. The other facts have to agree: the last step of equal states is one and the same script with the same arguments.
 *
 * @param boundary whose state it is to be
 * @param key of that state; `null`: nobody knows, and so nothing equals it
 */
export function contradictionOf(
  { facts: raw, label }: Checkpoint,
  boundary: Boundary,
  key: string | null,
): string | null {
  const facts = decodeFacts(raw);
  if (facts === null) return 'it does not say how it came to be';
  if (facts.boundary !== label) return `it says that it was taken as ${facts.boundary}`;
  if (key === null || facts.key !== key) return 'it says that it is another state';
  const { scriptDigest, argsDigest, name } = boundary.after ?? { scriptDigest: '', argsDigest: '', name: '' };
  if (facts.scriptDigest === scriptDigest && facts.argsDigest === argsDigest) return null;
  if (boundary.after === null) return `it says that step ${facts.after} led to it, and nothing should have`;
  return facts.scriptDigest === scriptDigest
    ? `it says that step ${facts.after} had other arguments than ${name} has`
    : `it says that another script than that of ${name} led to it`;
}
