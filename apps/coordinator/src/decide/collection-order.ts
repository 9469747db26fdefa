import { CollectedAs, type AgentId, type BuildId, type BuildState } from '#libs/contracts';
import { isAtRest } from './build-state.js';

/** What an agent holds of a variant of a build: what it can drop by itself. */
export interface HeldArea {
  readonly agent: AgentId;
  readonly build: BuildId;
  readonly variant: string;
  /** How many the agent has said that it holds. */
  readonly checkpoints: number;
  /** What would be free without it; `null`: it was not measured yet. */
  readonly usedBytes: number | null;
  /** When its oldest and its newest checkpoint were taken. */
  readonly firstAt: number;
  readonly newestAt: number;
  /** Ids of its checkpoints, when the build wants copies of them and can go on; else empty. */
  readonly copied: readonly string[];
  /** The agent has a job of the build, an unfinished job of another build goes on from where one of it ended, or an attempt may still begin with a state of it. */
  readonly isInUse: boolean;
  /** A person wants to keep it. */
  readonly isPinned: boolean;
  /** The agent has been told to drop it, and has not said that it did. */
  readonly isGoing: boolean;
}

export interface HeldBuild {
  readonly id: BuildId;
  /** Distribution name of the manifest. */
  readonly name: string;
  readonly state: BuildState;
  /** When it came to rest; `null`: not, or not known, and then nothing of it is old. */
  readonly endedAt: number | null;
  /** Builds whose results or states its jobs took over. */
  readonly tookFrom: readonly BuildId[];
}

export interface Holdings {
  /** Of all agents. */
  readonly areas: readonly HeldArea[];
  /** Those that are not collected. */
  readonly builds: readonly HeldBuild[];
  /** Agents whose copies count: there, and not being emptied. */
  readonly staying: ReadonlySet<AgentId>;
}

export interface KeepCheckpoints {
  /** Of builds that succeeded. */
  readonly keepFinishedMs: number;
  /** Of builds that can be resumed: failed, cancelled, paused. */
  readonly keepFailedMs: number;
  /** The checkpoints of so many newest successful builds of each name stay, however old, as long as there is room. */
  readonly keepNewestCheckpoints: number;
}

export interface RankedArea {
  readonly area: HeldArea;
  readonly as: CollectedAs;
}

/**
 * What may go, the first to go first. What is of none of these kinds stays: what is in use or pinned, and all else of builds that wait, run or are paused.
 *
 *     old         of builds at rest for too long, whatever their state, and of those that were collected; but see newest
 *     finished    of builds that succeeded
 *     copy        of which other agents hold all, of builds that can go on
 *     cancelled   of cancelled builds
 *     newest      of the newest builds of each name that succeeded, and of those that they took something over from
 *     failed      of failed builds
 *
 * Leaves go before what they grew from: nothing goes before what another area on the same agent took over from it, as far as that may go at all. Then what has been at rest for the
 * longest. Of one build, the variant that was begun last, since it may have begun with a state of another one.
 */
export function collectionOrder(
  { areas, builds, staying }: Holdings,
  keep: KeepCheckpoints,
  now: number,
): readonly RankedArea[] {
  const byId = new Map(builds.map((build) => [build.id, build]));
  const tooOld = oldBuilds(builds, keep, now);
  const old = (id: BuildId): boolean => tooOld.has(id) || !byId.has(id);
  const newest = newestBuilds(builds, keep.keepNewestCheckpoints);
  const copies = new Copies(areas, staying);
  const mayGo = areas.flatMap((area) => {
    const build = byId.get(area.build) ?? collected(area.build);
    const as = kindOf(area, build, { old, newest, copies });
    return as === null ? [] : [{ area, as, build }];
  });
  const standing = standings(mayGo);
  return mayGo.toSorted((a, b) => {
    const [one, other] = [standing(a), standing(b)];
    return one.rank - other.rank || one.height - other.height || compareRest(a, b);
  });
}

/** Builds at rest for longer than their checkpoints are kept. */
export function oldBuilds(
  builds: readonly HeldBuild[],
  keep: KeepCheckpoints,
  now: number,
): ReadonlySet<BuildId> {
  const newest = newestBuilds(builds, keep.keepNewestCheckpoints);
  const old = builds.filter(
    ({ id, state, endedAt }) =>
      isAtRest(state) && !newest.has(id) && now - (endedAt ?? now) > keptFor(state, keep),
  );
  return new Set(old.map(({ id }) => id));
}

export function keptFor(state: BuildState, { keepFinishedMs, keepFailedMs }: KeepCheckpoints): number {
  return state === 'succeeded' ? keepFinishedMs : keepFailedMs;
}

/** With what they took over, they are whole: what did not run in a build is held by the one that it ran in. */
function newestBuilds(builds: readonly HeldBuild[], count: number): ReadonlySet<BuildId> {
  const newest = new Set<BuildId>();
  const seen = new Map<string, number>();
  const succeeded = builds.filter(({ state }) => state === 'succeeded');
  for (const { id, name, tookFrom } of succeeded.toSorted(
    (a, b) => (b.endedAt ?? Infinity) - (a.endedAt ?? Infinity) || (a.id < b.id ? 1 : -1),
  )) {
    const rank = seen.get(name) ?? 0;
    if (rank < count) for (const each of [id, ...tookFrom]) newest.add(each);
    seen.set(name, rank + 1);
  }
  return newest;
}

/** Of a build that can no longer be resumed all goes; what was in its way, when it was collected, may be out of it now. */
function collected(id: BuildId): HeldBuild {
  return { id, name: '', state: 'cancelled', endedAt: 0, tookFrom: [] };
}

interface Kinds {
  readonly old: (build: BuildId) => boolean;
  readonly newest: ReadonlySet<BuildId>;
  readonly copies: Copies;
}

function kindOf(
  area: HeldArea,
  { id, state }: HeldBuild,
  { old, newest, copies }: Kinds,
): CollectedAs | null {
  if (area.isInUse || area.isPinned || area.isGoing) return null;
  if (old(id)) return 'old';
  if (copies.areElsewhere(area)) return 'copy';
  switch (state) {
    case 'succeeded':
      return newest.has(id) ? 'newest' : 'finished';
    case 'cancelled':
    case 'failed':
      return state;
    case 'waiting':
    case 'running':
    case 'paused':
      return null;
  }
}

/** Who holds what of which copies are wanted. */
export class Copies {
  readonly #holders = new Map<string, Set<AgentId>>();

  constructor(
    areas: readonly HeldArea[],
    private readonly staying: ReadonlySet<AgentId>,
  ) {
    for (const { agent, copied, isGoing } of areas) {
      if (isGoing) continue;
      for (const id of copied) this.#holders.set(id, (this.#holders.get(id) ?? new Set()).add(agent));
    }
  }

  /** Whether other agents hold all that this one does. */
  areElsewhere({ agent, copied }: HeldArea): boolean {
    const isElsewhere = (id: string): boolean =>
      [...(this.#holders.get(id) ?? [])].some((each) => each !== agent && this.staying.has(each));
    return copied.length > 0 && copied.every(isElsewhere);
  }

  takeBack({ agent, copied }: HeldArea): void {
    for (const id of copied) this.#holders.get(id)?.add(agent);
  }

  /** Two agents must not each rely on the other's copy. */
  giveUp({ agent, copied }: HeldArea): void {
    for (const id of copied) this.#holders.get(id)?.delete(agent);
  }
}

interface Candidate extends RankedArea {
  readonly build: HeldBuild;
}

interface Standing {
  /** Index among the kinds: its own, or that of the last of what grew from it. */
  readonly rank: number;
  /** 0: nothing grew from it. */
  readonly height: number;
}

function standings(candidates: readonly Candidate[]): (candidate: Candidate) => Standing {
  const grown = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    const { area, build } = candidate;
    for (const from of build.tookFrom.filter((each) => each !== build.id)) {
      const root = `${area.agent} ${from}`;
      grown.set(root, [...(grown.get(root) ?? []), candidate]);
    }
  }
  const known = new Map<Candidate, Standing>();
  const standingOf = (candidate: Candidate): Standing => {
    const found = known.get(candidate);
    if (found !== undefined) return found;
    const own = { rank: CollectedAs.options.indexOf(candidate.as), height: 0 };
    // Of builds that took from each other, none is the root.
    known.set(candidate, own);
    const leaves = (grown.get(`${candidate.area.agent} ${candidate.area.build}`) ?? []).map(standingOf);
    const standing = {
      rank: Math.max(own.rank, ...leaves.map(({ rank }) => rank)),
      height: Math.max(-1, ...leaves.map(({ height }) => height)) + 1,
    };
    known.set(candidate, standing);
    return standing;
  };
  return standingOf;
}

function compareRest(a: Candidate, b: Candidate): number {
  if (a.build.id !== b.build.id) return restsSince(a) - restsSince(b) || (a.build.id < b.build.id ? -1 : 1);
  const begun = b.area.firstAt - a.area.firstAt;
  return begun || (`${a.area.variant} ${a.area.agent}` < `${b.area.variant} ${b.area.agent}` ? -1 : 1);
}

function restsSince({ build, area }: Candidate): number {
  return build.endedAt ?? area.newestAt;
}
