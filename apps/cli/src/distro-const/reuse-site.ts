import { ReuseRecord } from '#libs/build-area';
import type { KeyWorld } from '#libs/plan';
import { sourceDateEpoch, stepEnvironment } from '#libs/steps';
import { resolve } from 'node:path';
import { keyWorldHere, type WorldHere } from './key-world.js';
import type { LoadedBuild } from './load-build.js';

export interface SiteRequest {
  readonly loaded: LoadedBuild;
  /** As the user named it. */
  readonly manifestFile: string;
  /** Where the build area is; `null`: there is none yet. */
  readonly areaPath: string | null;
  readonly cache: string;
  readonly binFolder: string;
  readonly signal: AbortSignal;
}

/** What a build that reuses finds in its build area and on this machine. */
export interface ReuseSite {
  readonly record: ReuseRecord;
  readonly here: WorldHere;
  readonly world: KeyWorld;
  /** What the user should know. */
  readonly notes: readonly string[];
}

/** Read-only, but for what fingerprint commands do. A string says why one of the fingerprints is not known: without it, nobody can say what would be wrong to reuse. */
export async function lookAround(request: SiteRequest): Promise<ReuseSite | string> {
  const { loaded, manifestFile, areaPath, cache, binFolder, signal } = request;
  const record = ReuseRecord.read(areaPath, resolve(manifestFile));
  // An edited manifest would be a new time, with which no step would be the same.
  const usual = record.imageTime === null ? null : new Date(record.imageTime * 1000);
  const imageTime = sourceDateEpoch(process.env, usual ?? loaded.manifestChangedAt);
  const own = sourceDateEpoch(process.env, loaded.manifestChangedAt);
  const here = {
    manifest: loaded.manifest,
    manifestFile,
    plan: loaded.plan,
    imageTime,
    environment: stepEnvironment({
      sourceDateEpoch: imageTime,
      binFolder,
      cacheFolder: cache,
      caller: process.env,
    }),
    leftOut: areaPath === null ? [cache] : [areaPath, cache],
    signal,
  };
  const world = await keyWorldHere(here);
  if (typeof world === 'string') return world;
  const time = new Date(imageTime * 1000).toISOString();
  const kept = `the image time stays ${time}, as in the build before; set SOURCE_DATE_EPOCH for another`;
  return { record, here, world, notes: imageTime === own ? [] : [kept] };
}
