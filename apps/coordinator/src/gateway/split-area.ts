import type { AreaName, BuildId } from '#libs/contracts';

/** `<build>.<variant>`; AreaName has been checked. */
export function splitArea(area: AreaName): { readonly build: BuildId; readonly variant: string } {
  const dot = area.indexOf('.');
  return { build: area.slice(0, dot) as BuildId, variant: area.slice(dot + 1) };
}
