import { parseDatasetName, type DatasetName } from '#libs/snapshots';
import { hostname } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { Name } from '#libs/contracts';
import { addressProblem } from './link/coordinator-address.js';

/** Where an agent keeps its areas. */
export type StorePlace =
  | { readonly kind: 'dataset'; readonly dataset: DatasetName }
  | { readonly kind: 'folder'; readonly path: string };

/** Where other agents fetch checkpoints. */
export type PeerListen =
  /** At the address by which the coordinator is reached, any free port. */
  | { readonly kind: 'auto' }
  | { readonly kind: 'off' }
  | { readonly kind: 'address'; readonly host: string; readonly port: number };

export interface AgentConfig {
  /** `null`: the one that the agent was enrolled with. */
  readonly coordinator: string | null;
  /** Identity, spool, fetched inputs. Mode 0700. */
  readonly stateFolder: string;
  readonly store: StorePlace;
  readonly slots: number;
  readonly labels: readonly string[];
  /** Empty: what the kernel runs. */
  readonly architectures: readonly string[];
  /** Tools to declare beside those that the shipped finalizers use. */
  readonly tools: readonly string[];
  readonly name: string;
  /** DC_CACHE of the steps. */
  readonly cacheFolder: string;
  /** What fetched inputs may take together. */
  readonly blobCacheBytes: number;
  readonly peerListen: PeerListen;
  /** How long a SIGTERM lets running jobs go on. */
  readonly leaveSeconds: number;
  readonly logLevel: string;
  /** Of this process: what steps get of it is in libs/steps. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The environment has problems; each is a sentence. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

const DEFAULT_STATE = '/var/lib/distrofarm-agent';
const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
/** Large enough for the inputs of some jobs, small enough for a root disk. */
const DEFAULT_BLOB_CACHE_GB = 20;
/** A job may take this long; systemd is told the same (TimeoutStopSec). */
const DEFAULT_LEAVE_SECONDS = 3600;

const words = z
  .string()
  .default('')
  .transform((text) => text.split(/[\s,]+/).filter((word) => word !== ''));
const wholeNumber = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
/** Lets a function say what is wrong; `null`: nothing. */
const inWords =
  (problemOf: (text: string) => string | null) =>
  (text: string, context: z.RefinementCtx): void => {
    const message = problemOf(text);
    if (message !== null) context.addIssue({ code: 'custom', message });
  };
const absolutePath = z.string().refine(isAbsolute, 'expected an absolute path');

const Environment = z.object({
  DISTROFARM_COORDINATOR: z.string().superRefine(inWords(addressProblem)).optional(),
  DISTROFARM_AGENT_STATE: absolutePath.default(DEFAULT_STATE),
  DISTROFARM_AGENT_STORE: z.string().superRefine(inWords(storeProblem)).optional(),
  DISTROFARM_AGENT_SLOTS: wholeNumber(1, 256).default(1),
  DISTROFARM_AGENT_LABELS: words.pipe(z.array(Name).max(50)),
  DISTROFARM_AGENT_ARCHITECTURES: words.pipe(z.array(Name).max(20)),
  DISTROFARM_AGENT_TOOLS: words.pipe(z.array(Name).max(200)),
  DISTROFARM_AGENT_NAME: Name.optional(),
  DISTROFARM_AGENT_CACHE: absolutePath.optional(),
  DISTROFARM_AGENT_BLOB_CACHE_GB: wholeNumber(1, 1_000_000).default(DEFAULT_BLOB_CACHE_GB),
  DISTROFARM_AGENT_PEER_LISTEN: z.string().superRefine(inWords(peerListenProblem)).default('auto'),
  DISTROFARM_AGENT_LEAVE_SECONDS: wholeNumber(0, 7 * 86_400).default(DEFAULT_LEAVE_SECONDS),
  DISTROFARM_LOG_LEVEL: z.enum(LEVELS).default('info'),
});

/** All variables that `parseConfig` knows. */
export const AGENT_SETTINGS: readonly string[] = Object.keys(Environment.shape);

/** As `parseConfig`, of this process. Nothing else in the agent reads its environment. */
export function readConfig(): AgentConfig {
  return parseConfig(process.env);
}

/**
 * Reads the settings, all problems at once. Unknown names are refused where they begin with `DISTROFARM_AGENT_`; what else begins with `DISTROFARM_` may be
 * the coordinator's or the CLI's. Throws ConfigError.
 */
export function parseConfig(environment: Readonly<Record<string, string | undefined>>): AgentConfig {
  const problems = unknownNames(environment);
  // An empty value is how a unit file says "not set".
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = Environment.safeParse(given);
  if (!parsed.success) {
    throw new ConfigError([
      ...problems,
      ...parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`),
    ]);
  }
  const values = parsed.data;
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    coordinator: values.DISTROFARM_COORDINATOR ?? null,
    stateFolder: values.DISTROFARM_AGENT_STATE,
    store: storePlace(values.DISTROFARM_AGENT_STORE ?? join(values.DISTROFARM_AGENT_STATE, 'areas')),
    slots: values.DISTROFARM_AGENT_SLOTS,
    labels: values.DISTROFARM_AGENT_LABELS,
    architectures: values.DISTROFARM_AGENT_ARCHITECTURES,
    tools: values.DISTROFARM_AGENT_TOOLS,
    name: values.DISTROFARM_AGENT_NAME ?? nameOfHost(),
    cacheFolder: values.DISTROFARM_AGENT_CACHE ?? '/var/cache/distrofarm',
    blobCacheBytes: values.DISTROFARM_AGENT_BLOB_CACHE_GB * 1024 ** 3,
    peerListen: peerListen(values.DISTROFARM_AGENT_PEER_LISTEN) ?? { kind: 'auto' },
    leaveSeconds: values.DISTROFARM_AGENT_LEAVE_SECONDS,
    logLevel: values.DISTROFARM_LOG_LEVEL,
    environment,
  };
}

function unknownNames(environment: Readonly<Record<string, string | undefined>>): string[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith('DISTROFARM_AGENT_') && !AGENT_SETTINGS.includes(name))
    .map((name) => `${name}: there is no such setting; expected one of ${AGENT_SETTINGS.join(', ')}`);
}

/** Throws for what is neither. */
function storePlace(text: string): StorePlace {
  if (isAbsolute(text)) return { kind: 'folder', path: text };
  const dataset = parseDatasetName(text);
  if (dataset.includes('/')) return { kind: 'dataset', dataset };
  throw new RangeError('a pool is no place of an agent’s own');
}

function storeProblem(text: string): string | null {
  try {
    storePlace(text);
    return null;
  } catch {
    return `${JSON.stringify(text)} is neither a dataset (pool/name) nor an absolute folder`;
  }
}

/** `null` for what is none. */
function peerListen(text: string): PeerListen | null {
  if (text === 'auto' || text === 'off') return { kind: text };
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const host = bracketed ?? plain;
  return host === undefined || port < 1 || port > 65_535 ? null : { kind: 'address', host, port };
}

function peerListenProblem(text: string): string | null {
  return peerListen(text) === null ? `${JSON.stringify(text)} is none of auto, off, host:port` : null;
}

function nameOfHost(): string {
  const safe = hostname()
    .replace(/[^A-Za-z0-9_.:+-]/g, '-')
    .slice(0, 64);
  return Name.safeParse(safe).success ? safe : 'agent';
}
