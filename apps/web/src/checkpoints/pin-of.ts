import type { CheckpointPinView } from '#libs/contracts';

/** What keeps the variant: its own pin before that of the whole build, since that can be taken off by itself. */
export function pinOf(
  pins: readonly CheckpointPinView[],
  { build, variant }: { readonly build: string; readonly variant: string },
): CheckpointPinView | null {
  const own = pins.filter((pin) => pin.build === build);
  return own.find((pin) => pin.variant === variant) ?? own.find((pin) => pin.variant === null) ?? null;
}
