import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CliError } from './cli-error.js';
import { EXIT } from './exit-codes.js';
import type { Io } from './io.js';

/** A farm, and how this user is known there. */
export interface Profile {
  /** `https://…`, `http://…` (this machine only) or `unix:/path/to.sock`. */
  readonly url: string;
  readonly token: string | null;
  /** PEM of the farm's own certificate authority. */
  readonly ca: string | null;
}

export interface Profiles {
  /** Name of the profile that is used when none is asked for. */
  readonly current: string | null;
  readonly profiles: Readonly<Record<string, Profile>>;
}

export type Environment = Io['env'];

const NONE: Profiles = { current: null, profiles: {} };

/** `$XDG_CONFIG_HOME/distrofarm/config.json`, the one place where profiles are kept. */
export function profilesPath(env: Environment): string {
  const { XDG_CONFIG_HOME: xdg, HOME: home } = env;
  const base = xdg !== undefined && xdg.startsWith('/') ? xdg : join(home ?? homedir(), '.config');
  return join(base, 'distrofarm', 'config.json');
}

/** None yet is no error. Throws a CliError for a file that cannot be read or is not ours. */
export async function readProfiles(env: Environment): Promise<Profiles> {
  const path = profilesPath(env);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NONE;
    throw configError(path, `cannot be read: ${(error as Error).message}`);
  }
  return parseProfiles(path, text);
}

/** Adds or replaces one profile, and makes it the current one; with `keepCurrent` only where there is none. */
export async function saveProfile(
  env: Environment,
  name: string,
  profile: Profile,
  { keepCurrent = false }: { readonly keepCurrent?: boolean } = {},
): Promise<void> {
  if (!isProfileName(name)) {
    throw new CliError(
      EXIT.usage,
      `"${name}" cannot be the name of a profile`,
      'Use letters, digits, "-", "_" and ".".',
    );
  }
  const { current, profiles } = await readProfiles(env);
  await writeProfiles(env, {
    current: keepCurrent ? (current ?? name) : name,
    profiles: { ...profiles, [name]: profile },
  });
}

/** Replaces the file in one move; only its owner can read it. */
export async function writeProfiles(env: Environment, profiles: Profiles): Promise<void> {
  const path = profilesPath(env);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(profiles, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw configError(path, `cannot be written: ${(error as Error).message}`);
  }
}

export interface ChosenProfile extends Profile {
  /** For people: a profile's name, or `DISTROFARM_URL`. */
  readonly name: string;
}

/**
 * The farm to talk to: the profile asked for, else the environment's, else the current one. A profile's token is never sent to the address in
 * DISTROFARM_URL. Throws a CliError when there is none, or when it would send a token in the clear.
 */
export async function chooseProfile(env: Environment, asked: string | undefined): Promise<ChosenProfile> {
  const chosen = asked === undefined ? await defaultProfile(env) : named(await readProfiles(env), asked);
  if (chosen.token !== null) refuseClearText(chosen.url);
  return chosen;
}

async function defaultProfile(env: Environment): Promise<ChosenProfile> {
  const { DISTROFARM_URL: url, DISTROFARM_TOKEN: token } = env;
  if (url !== undefined && url !== '') {
    return { name: 'DISTROFARM_URL', url, token: token ?? null, ca: await caFromEnvironment(env) };
  }
  const profiles = await readProfiles(env);
  const [only, ...more] = Object.keys(profiles.profiles);
  const name = profiles.current ?? (more.length === 0 ? only : undefined);
  if (name === undefined) throw nothingConfigured(only !== undefined);
  const profile = named(profiles, name);
  return {
    ...profile,
    token: token ?? profile.token,
    ca: (await caFromEnvironment(env)) ?? profile.ca,
  };
}

function named({ profiles }: Profiles, name: string): ChosenProfile {
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (profile !== undefined) return { name, ...profile };
  const known = Object.keys(profiles);
  const list = known.length === 0 ? 'There are none.' : `There are: ${known.join(', ')}.`;
  throw new CliError(
    EXIT.config,
    `no profile has the name "${name}"`,
    `${list} Add one with: distrofarm login URL -P ${name}`,
  );
}

async function caFromEnvironment(env: Environment): Promise<string | null> {
  const { DISTROFARM_CA: path } = env;
  if (path === undefined || path === '') return null;
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new CliError(EXIT.config, `DISTROFARM_CA: ${path} cannot be read: ${(error as Error).message}`);
  }
}

function nothingConfigured(some: boolean): CliError {
  if (some) {
    return new CliError(
      EXIT.config,
      'there are several profiles, and none is the current one',
      'Choose one: distrofarm profiles use NAME',
    );
  }
  return new CliError(
    EXIT.config,
    'no farm is configured',
    'Start one on this machine with: distrofarm up\nOr log in to one: distrofarm login URL',
  );
}

/** A token is as good as root on every agent: it is not sent over a network that anybody can listen to. */
export function refuseClearText(url: string): void {
  if (!isClearText(url)) return;
  throw new CliError(
    EXIT.config,
    `a token is not sent to ${url}: the connection would not be encrypted`,
    'Use its https:// address. Plain http:// is for this machine only (localhost, 127.0.0.1, [::1]).',
  );
}

function isClearText(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  const loopback = hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  return protocol === 'http:' && !loopback;
}

function isProfileName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name);
}

function parseProfiles(path: string, text: string): Profiles {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw configError(path, `is not JSON: ${(error as Error).message}`);
  }
  const { current, profiles } = isRecord(value) ? value : {};
  const entries = isRecord(profiles) ? Object.entries(profiles) : null;
  if (entries === null || !(current === null || typeof current === 'string')) {
    throw configError(path, 'has not the form {"current": "…", "profiles": {…}}');
  }
  for (const [name, profile] of entries) {
    if (isProfileName(name) && isProfile(profile)) continue;
    throw configError(
      path,
      `profile ${JSON.stringify(name)} has not the form {"url": "…", "token": "…", "ca": "…"}`,
    );
  }
  return { current, profiles: Object.fromEntries(entries) as Record<string, Profile> };
}

function isProfile(value: unknown): value is Profile {
  if (!isRecord(value) || typeof value['url'] !== 'string') return false;
  return [value['token'], value['ca']].every((field) => field === null || typeof field === 'string');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function configError(path: string, what: string): CliError {
  return new CliError(
    EXIT.config,
    `${path} ${what}`,
    'Mend it, or remove it and log in again: distrofarm login URL',
  );
}
