import type { Checkpoint } from '#libs/plan';
import type { OpenTree } from './areas.js';

/** Opens a checkpoint's tree where the store has it. It is looked for once more in the end: whoever read it while it went has read nothing that counts. */
export async function openInPlace(
  store: { readonly treeOf: (checkpoint: Checkpoint) => Promise<string> },
  checkpoint: Checkpoint,
): Promise<OpenTree> {
  const path = await store.treeOf(checkpoint);
  return {
    path,
    close: async () => {
      await store.treeOf(checkpoint);
    },
  };
}
