/** An agent keeps so much room free, or this share of a small store. */
const FLOOR_BYTES = 4 * 1024 ** 3;
const FLOOR_SHARE = 0.1;

/** With less than this free, an agent's checkpoints go before their time. */
export function spaceFloorOf(store: { readonly freeBytes: number; readonly usedBytes: number }): number {
  return Math.min(FLOOR_BYTES, (store.freeBytes + store.usedBytes) * FLOOR_SHARE);
}
