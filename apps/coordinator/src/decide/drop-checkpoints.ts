import type { AgentId, BuildId, CollectedAs } from '#libs/contracts';
import type { Removal } from './collect-checkpoints.js';
import type { HeldArea, HeldBuild } from './collection-order.js';

/** What a person wants to go. */
export interface WantedDrop {
  readonly build: BuildId;
  /** `null`: all of them. */
  readonly variant: string | null;
  /** `null`: wherever they are. */
  readonly agent: AgentId | null;
}

export type Refusal = Pick<Removal, 'agent' | 'build' | 'variant' | 'why'>;

export interface Drop {
  /** Those that go first come first. */
  readonly removals: readonly Removal[];
  readonly refused: readonly Refusal[];
}

/**
 * Which areas go when a person says so: those that policies may remove, too, and at once. What is in use, pinned, or what a build that is not over goes on from stays.
 *
 * @param order all that is held, leaves first; see collectionOrder
 */
export function dropCheckpoints(
  order: readonly { readonly area: HeldArea; readonly as: CollectedAs | null }[],
  builds: readonly HeldBuild[],
  wanted: WantedDrop,
  why: string,
): Drop {
  const byId = new Map(builds.map((build) => [build.id, build]));
  const removals: Removal[] = [];
  const refused: Refusal[] = [];
  for (const { area, as } of order.filter((each) => isWanted(each.area, wanted))) {
    const { agent, build, variant, usedBytes } = area;
    if (as === null) {
      refused.push({ agent, build, variant, why: whyItStays(area, byId.get(build)) });
      continue;
    }
    const grown = order.filter((each) => grewFrom(each.area, area, byId)).map((each) => nameOf(each.area));
    const behind =
      grown.length === 0 ? '' : `; ${grown.join(', ')} went on from it there, and may have to go first`;
    removals.push({ agent, build, variant, as, usedBytes, why: `${why}${behind}` });
  }
  return { removals, refused };
}

function isWanted({ agent, build, variant }: HeldArea, wanted: WantedDrop): boolean {
  return (
    build === wanted.build &&
    (wanted.variant === null || variant === wanted.variant) &&
    (wanted.agent === null || agent === wanted.agent)
  );
}

function whyItStays({ isGoing, isPinned, isInUse }: HeldArea, build: HeldBuild | undefined): string {
  if (isGoing) return 'its agent has been told to drop it already';
  if (isPinned) return 'it is pinned: unpin it first';
  if (isInUse) return 'a job works there, or an unfinished build goes on from it';
  return `its build is ${build?.state ?? 'not over'} and goes on from it: cancel the build first`;
}

/** Of another build, on the same agent. */
function grewFrom(leaf: HeldArea, root: HeldArea, byId: ReadonlyMap<BuildId, HeldBuild>): boolean {
  return (
    leaf.agent === root.agent &&
    leaf.build !== root.build &&
    !leaf.isGoing &&
    (byId.get(leaf.build)?.tookFrom.includes(root.build) ?? false)
  );
}

function nameOf({ build, variant }: HeldArea): string {
  return `${build}.${variant}`;
}
