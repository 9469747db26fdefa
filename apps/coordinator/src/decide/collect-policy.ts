import type { AgentId, BuildId, BuildState } from '#libs/contracts';
import { counted, humanSize } from './amounts.js';
import { isAtRest } from './build-state.js';

export interface CollectableBuild {
  readonly id: BuildId;
  /** Distribution name of the manifest. */
  readonly name: string;
  readonly state: BuildState;
  /** When it came to rest; `null`: not, or not known, and then nothing of it is old. */
  readonly endedAt: number | null;
  /** A person wants to keep it, whatever its age. */
  readonly pinned?: boolean;
  /** Agents that hold checkpoints of it and have not been told to drop them. */
  readonly heldOn: readonly AgentId[];
  readonly hasArtifacts: boolean;
  readonly hasLogs: boolean;
}

export interface KeepSettings {
  /** Checkpoints of builds that succeeded. */
  readonly keepFinishedMs: number;
  /** Checkpoints of builds that can be resumed: failed, cancelled, paused. */
  readonly keepFailedMs: number;
  readonly keepArtifactsMs: number;
  readonly keepLogsMs: number;
  /** The artifacts of so many newest successful builds of each name stay, however old. */
  readonly keepNewestPerName: number;
}

export interface AgentSpace {
  readonly id: AgentId;
  readonly name: string;
  readonly freeBytes: number;
  /** With less than this, checkpoints go before their time. */
  readonly floorBytes: number;
  /** It was told to drop something, and has not said that it did. */
  readonly isDropping: boolean;
}

/** What is to be removed of one build, and why; each sentence of `why` is for the log and the audit. */
export interface Collection {
  readonly build: BuildId;
  /** Agents that are to drop the build's areas. */
  readonly checkpointsOn: readonly AgentId[];
  readonly artifacts: boolean;
  readonly logs: boolean;
  readonly why: readonly string[];
}

/**
 * What retention removes. Nothing of a build that is not at rest, nor of a pinned one.
 *
 * By age, counted from when the build came to rest: checkpoints of finished builds first, since nothing needs them; those of builds that could be
 * resumed later; artifacts and logs by their own times.
 *
 * By space: an agent below its floor gives up the checkpoints of one build per pass, and none while an earlier drop is on its way, so that no
 * more goes than is needed. The first to go are those of finished builds, then of cancelled, then of failed ones, the oldest first. A paused build
 * keeps its checkpoints until they are too old: its user means to go on.
 */
export function collectBuilds(
  builds: readonly CollectableBuild[],
  agents: readonly AgentSpace[],
  settings: KeepSettings,
  now: number,
): readonly Collection[] {
  const resting = builds.filter(({ state, pinned }) => isAtRest(state) && pinned !== true);
  const newest = newestOfEachName(builds, settings.keepNewestPerName);
  const byAge = resting.map((build) => collectByAge(build, newest, settings, now));
  const bySpace = agents.flatMap((agent) => collectBySpace(agent, resting, byAge));
  return byAge.map((collection) => withSpace(collection, bySpace)).filter(isAnything);
}

function collectByAge(
  build: CollectableBuild,
  newest: ReadonlySet<BuildId>,
  settings: KeepSettings,
  now: number,
): Collection {
  const keepMs = build.state === 'succeeded' ? settings.keepFinishedMs : settings.keepFailedMs;
  const age = now - (build.endedAt ?? now);
  const checkpoints = build.heldOn.length > 0 && age > keepMs;
  const artifacts = build.hasArtifacts && age > settings.keepArtifactsMs && !newest.has(build.id);
  const logs = build.hasLogs && age > settings.keepLogsMs;
  return {
    build: build.id,
    checkpointsOn: checkpoints ? build.heldOn : [],
    artifacts,
    logs,
    why: [
      ...(checkpoints ? [tooOld('checkpoints', build, age, keepMs)] : []),
      ...(artifacts ? [tooOld('artifacts', build, age, settings.keepArtifactsMs)] : []),
      ...(logs ? [tooOld('logs', build, age, settings.keepLogsMs)] : []),
    ],
  };
}

function tooOld(what: string, { state }: CollectableBuild, ageMs: number, keepMs: number): string {
  return `${what}: it is ${state} since ${inDays(ageMs)}, and they are kept for ${inDays(keepMs)}`;
}

function inDays(ms: number): string {
  return counted(Math.floor(ms / 86_400_000), 'day');
}

function newestOfEachName(builds: readonly CollectableBuild[], count: number): ReadonlySet<BuildId> {
  const newest = new Set<BuildId>();
  const seen = new Map<string, number>();
  const succeeded = builds.filter(({ state, hasArtifacts }) => state === 'succeeded' && hasArtifacts);
  for (const { id, name } of succeeded.toSorted((a, b) => compareAge(b, a))) {
    const rank = seen.get(name) ?? 0;
    if (rank < count) newest.add(id);
    seen.set(name, rank + 1);
  }
  return newest;
}

/** The longest at rest first; of one moment, by id. */
function compareAge(a: CollectableBuild, b: CollectableBuild): number {
  return (a.endedAt ?? Infinity) - (b.endedAt ?? Infinity) || (a.id < b.id ? -1 : 1);
}

interface SpaceDrop {
  readonly build: BuildId;
  readonly agent: AgentId;
  readonly why: string;
}

const FIRST_TO_GO: readonly BuildState[] = ['succeeded', 'cancelled', 'failed'];

function collectBySpace(
  agent: AgentSpace,
  resting: readonly CollectableBuild[],
  byAge: readonly Collection[],
): readonly SpaceDrop[] {
  if (agent.freeBytes >= agent.floorBytes || agent.isDropping) return [];
  if (byAge.some(({ checkpointsOn }) => checkpointsOn.includes(agent.id))) return [];
  const held = resting.filter(
    ({ heldOn, state }) => heldOn.includes(agent.id) && FIRST_TO_GO.includes(state),
  );
  const [first] = held.toSorted(
    (a, b) => FIRST_TO_GO.indexOf(a.state) - FIRST_TO_GO.indexOf(b.state) || compareAge(a, b),
  );
  if (first === undefined) return [];
  const why = `checkpoints on ${agent.name}: it has ${humanSize(agent.freeBytes)} free, less than ${humanSize(agent.floorBytes)}`;
  return [{ build: first.id, agent: agent.id, why }];
}

function withSpace(collection: Collection, drops: readonly SpaceDrop[]): Collection {
  const own = drops.filter(({ build }) => build === collection.build);
  return {
    ...collection,
    checkpointsOn: [...collection.checkpointsOn, ...own.map(({ agent }) => agent)],
    why: [...collection.why, ...own.map(({ why }) => why)],
  };
}

function isAnything({ checkpointsOn, artifacts, logs }: Collection): boolean {
  return checkpointsOn.length > 0 || artifacts || logs;
}
