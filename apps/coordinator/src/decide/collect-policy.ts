import type { BuildId, BuildState } from '#libs/contracts';
import { counted } from './amounts.js';
import { isAtRest } from './build-state.js';

export interface CollectableBuild {
  readonly id: BuildId;
  /** Distribution name of the manifest. */
  readonly name: string;
  readonly state: BuildState;
  /** When it came to rest; `null`: not, or not known, and then nothing of it is old. */
  readonly endedAt: number | null;
  readonly hasArtifacts: boolean;
  readonly hasLogs: boolean;
}

export interface KeepSettings {
  readonly keepArtifactsMs: number;
  readonly keepLogsMs: number;
  /** The artifacts of so many newest successful builds of each name stay, however old. */
  readonly keepNewestPerName: number;
}

/** What is to be removed of one build, and why; each sentence of `why` is for the log. */
export interface Collection {
  readonly build: BuildId;
  readonly artifacts: boolean;
  readonly logs: boolean;
  readonly why: readonly string[];
}

/** Which artifacts and logs retention removes, by age, counted from when their build came to rest. Nothing of a build that is not at rest. */
export function collectBuilds(
  builds: readonly CollectableBuild[],
  settings: KeepSettings,
  now: number,
): readonly Collection[] {
  const newest = newestOfEachName(builds, settings.keepNewestPerName);
  return builds
    .filter(({ state }) => isAtRest(state))
    .map((build) => collectByAge(build, newest, settings, now))
    .filter(({ artifacts, logs }) => artifacts || logs);
}

function collectByAge(
  build: CollectableBuild,
  newest: ReadonlySet<BuildId>,
  settings: KeepSettings,
  now: number,
): Collection {
  const age = now - (build.endedAt ?? now);
  const artifacts = build.hasArtifacts && age > settings.keepArtifactsMs && !newest.has(build.id);
  const logs = build.hasLogs && age > settings.keepLogsMs;
  return {
    build: build.id,
    artifacts,
    logs,
    why: [
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
