import type { Manifest } from '#libs/manifest';
import { seesVariable, type PlannedStep } from '#libs/plan';
import { dirname, resolve } from 'node:path';

/** Taken over from the caller when set: without them a host behind a proxy cannot fetch packages. */
const PASSED_ON = [
  'http_proxy',
  'https_proxy',
  'ftp_proxy',
  'no_proxy',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
];

/** Where steps find programs, whatever the caller's PATH. */
export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface EnvironmentSource {
  /** Seconds since 1970; what the image carries as its time. */
  readonly sourceDateEpoch: number;
  /** Folder of `ManifestRead`. */
  readonly binFolder: string;
  readonly cacheFolder: string;
  readonly caller: Readonly<Record<string, string | undefined>>;
}

/** What all steps find in their environment: fixed, but for the few variables named above, so that a build does not depend on who started it. */
export function stepEnvironment(source: EnvironmentSource): Readonly<Record<string, string>> {
  const passedOn = PASSED_ON.flatMap((name) => {
    const value = source.caller[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(passedOn),
    PATH: `${source.binFolder}:${SYSTEM_PATH}`,
    HOME: '/root',
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    SOURCE_DATE_EPOCH: String(source.sourceDateEpoch),
    DC_CACHE: source.cacheFolder,
  };
}

/** What one step finds in it besides: see `seesVariable`. */
export function ownVariables(step: PlannedStep, manifest: Manifest): Readonly<Record<string, string>> {
  const values = {
    DC_STEP: step.name,
    DC_LANE: step.lane,
    DC_DISTRIBUTION: manifest.name,
    DC_MANIFEST_FOLDER: resolve(dirname(manifest.file)),
  };
  const names = Object.keys(values) as (keyof typeof values)[];
  return Object.fromEntries(
    names.filter((name) => seesVariable(step, name)).map((name) => [name, values[name]]),
  );
}

/** What the caller says, or else when the recipe last changed; https://reproducible-builds.org/specs/source-date-epoch/ */
export function sourceDateEpoch(caller: EnvironmentSource['caller'], manifestChangedAt: Date): number {
  const given = caller['SOURCE_DATE_EPOCH'] ?? '';
  return /^\d{1,11}$/.test(given) ? Number(given) : Math.floor(manifestChangedAt.getTime() / 1000);
}
