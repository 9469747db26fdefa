import { z } from 'zod';
import { MOST_REPLICAS } from '#libs/contracts';
import type { DatabaseConfig } from '#libs/store';
import type { RedisConfig } from '#libs/queue';
import { hostname } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Where the coordinator is reached. */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'socket'; readonly path: string };

export type TlsMode =
  /** Plain HTTP: on loopback and sockets, or behind a proxy that speaks TLS. */
  | { readonly kind: 'off' }
  | { readonly kind: 'files'; readonly certificate: string; readonly key: string }
  | { readonly kind: 'private-ca'; readonly names: readonly string[] };

export type ArtifactConfig =
  | { readonly kind: 'directory'; readonly folder: string }
  | {
      readonly kind: 's3';
      readonly bucket: string;
      readonly prefix: string;
      readonly endpoint: string | null;
      readonly region: string;
      /** `null`, both: where the SDK looks for them (environment, shared files, the machine's role). */
      readonly accessKeyId: string | null;
      readonly secretAccessKey: string | null;
    };

/** All that a coordinator is told from outside, checked. Libraries get values from it and never read the environment. */
export class CoordinatorConfig {
  readonly farm!: string;
  readonly listen!: ListenAddress;
  /** How agents and people reach it; for the commands it prints. */
  readonly publicUrl!: string;
  readonly dataFolder!: string;
  readonly database!: DatabaseConfig;
  readonly redis!: RedisConfig;
  readonly redisPrefix!: string;
  /** Redis may forget everything: for tests and demonstrations. */
  readonly redisThrowAway!: boolean;
  readonly artifacts!: ArtifactConfig;
  readonly tls!: TlsMode;
  readonly logLevel!: string;
  /** Not given to another agent before a lease has been unrenewed for so long. */
  readonly leaseMs!: number;
  readonly heartbeatMs!: number;
  readonly selfStopMs!: number;
  readonly maxLogBytes!: number;
  readonly openVariantsPerUser!: number;
  readonly runningPerUser!: number;
  readonly requestsPerMinute!: number;
  /** Copies of checkpoints on other agents, of builds that do not say. */
  readonly replicas!: number;
  /** Longest time that a job waits for copies that are behind; then it goes on without until they have caught up. 0: not at all. */
  readonly replicaWaitMs!: number;
  /** How long the answer to a fingerprint command holds for further submissions that ask the same. */
  readonly fingerprintMs!: number;
  readonly keepFinishedMs!: number;
  readonly keepFailedMs!: number;
  /** The checkpoints of so many newest successful builds of each name stay, however old, as long as there is room. */
  readonly keepNewestCheckpoints!: number;
  /** What checkpoints may take on each agent, and on all together; `null`: whatever there is room for. */
  readonly agentBudgetBytes!: number | null;
  readonly farmBudgetBytes!: number | null;
  readonly keepArtifactsMs!: number;
  readonly keepLogsMs!: number;
  readonly keepEventsMs!: number;
  /** The artifacts of so many newest successful builds of each name stay, however old. */
  readonly keepNewestPerName!: number;

  private constructor(fields: Settings) {
    Object.assign(this, fields);
  }

  /** Reads `DISTROFARM_…` variables. All problems come at once, each as one sentence. */
  static read(environment: Readonly<Record<string, string | undefined>>): CoordinatorConfigResult {
    const given = ownVariables(environment);
    const parsed = Environment.safeParse(given);
    if (!parsed.success) return { ok: false, problems: parsed.error.issues.map(describeIssue) };
    const problems: string[] = [];
    const config = fromEnvironment(parsed.data, (problem) => problems.push(problem));
    return problems.length > 0
      ? { ok: false, problems }
      : { ok: true, config: new CoordinatorConfig(config) };
  }
}

export type CoordinatorConfigResult =
  | { readonly ok: true; readonly config: CoordinatorConfig }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Variables of the other programs of this project, which may be set where a coordinator runs. */
const OTHERS = /^DISTROFARM_(AGENT_.*|COORDINATOR|TOKEN|CA|PROFILE|INSTALL_ROOT)$/;

function ownVariables(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const own = Object.entries(environment).flatMap(([name, value]) =>
    name.startsWith('DISTROFARM_') && !OTHERS.test(name) && value !== undefined && value !== ''
      ? [[name.slice('DISTROFARM_'.length), value] as const]
      : [],
  );
  return Object.fromEntries(own);
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const DEFAULT_PORT = 7455;

const days = (fallback: number) =>
  z.coerce
    .number({ error: 'expected a number of days' })
    .min(0)
    .max(36_500)
    .default(fallback)
    .transform((value) => value * DAY_MS);

/** `null` when it is not set. */
const gigabytes = z.coerce
  .number({ error: 'expected a number of GB' })
  .min(0)
  .max(1_000_000_000)
  .transform((value) => value * 1_000_000_000)
  .optional();

const flag = z
  .enum(['true', 'false'], { error: 'expected true or false' })
  .default('false')
  .transform((value) => value === 'true');

/** Names without their prefix, as docs/operations.md lists them; defaults with them. */
const Environment = z.strictObject({
  FARM: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, 'expected letters, digits and _ . -')
    .default('farm'),
  LISTEN: z.string().default(`127.0.0.1:${DEFAULT_PORT}`),
  URL: z.url({ protocol: /^https?$/, error: 'expected http(s)://host[:port]' }).optional(),
  DATA: z
    .string()
    .refine(isAbsolute, 'expected an absolute folder')
    .default('/var/lib/distrofarm-coordinator'),
  DATABASE: z.string().default('sqlite'),
  REDIS: z.string().default('redis://127.0.0.1:6379'),
  REDIS_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9_{}-]{1,40}$/)
    .default('{farm}'),
  REDIS_THROW_AWAY: flag,
  ARTIFACTS: z.string().default('directory'),
  S3_ENDPOINT: z.url().optional(),
  S3_REGION: z.string().default('us-east-1'),
  S3_ACCESS_KEY: z.string().optional(),
  S3_SECRET_KEY: z.string().optional(),
  TLS: z.enum(['auto', 'off', 'private-ca', 'files']).default('auto'),
  TLS_CERT: z.string().optional(),
  TLS_KEY: z.string().optional(),
  TLS_NAMES: z.string().default(''),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  LEASE_SECONDS: z.coerce.number().min(1).max(3600).default(70),
  MAX_LOG_MB: z.coerce.number().min(1).max(100_000).default(256),
  OPEN_VARIANTS_PER_USER: z.coerce.number().int().min(1).default(10_000),
  RUNNING_PER_USER: z.coerce.number().int().min(1).default(1000),
  REQUESTS_PER_MINUTE: z.coerce.number().int().min(1).default(1200),
  REPLICAS: z.coerce
    .number()
    .int()
    .min(0)
    .max(MOST_REPLICAS, `expected a number from 0 to ${MOST_REPLICAS}: each copy is one more agent’s`)
    .default(0),
  REPLICA_WAIT_SECONDS: z.coerce.number().min(0).max(86_400).default(60),
  FINGERPRINT_SECONDS: z.coerce.number().min(0).max(86_400).default(60),
  KEEP_FINISHED_DAYS: days(1),
  KEEP_FAILED_DAYS: days(7),
  KEEP_NEWEST_CHECKPOINTS: z.coerce.number().int().min(0).max(1000).default(2),
  KEEP_GB_PER_AGENT: gigabytes,
  KEEP_GB: gigabytes,
  KEEP_ARTIFACTS_DAYS: days(30),
  KEEP_LOGS_DAYS: days(90),
  KEEP_EVENTS_DAYS: days(90),
  KEEP_NEWEST: z.coerce.number().int().min(0).max(1000).default(3),
});
type Environment = z.infer<typeof Environment>;

/** All variables that `CoordinatorConfig.read` knows. */
export const COORDINATOR_SETTINGS: readonly string[] = Object.keys(Environment.shape).map(
  (name) => `DISTROFARM_${name}`,
);

/** The fields of a configuration. */
type Settings = { readonly [Key in keyof CoordinatorConfig]: CoordinatorConfig[Key] };

type Complain = (problem: string) => void;

function fromEnvironment(given: Environment, complain: Complain): Settings {
  const listen = readListen(given.LISTEN, complain);
  const tls = readTls(given, listen, complain);
  const leaseMs = given.LEASE_SECONDS * 1000;
  return {
    farm: given.FARM,
    listen,
    publicUrl: given.URL ?? defaultUrl(listen, tls),
    dataFolder: given.DATA,
    database: readDatabase(given, complain),
    redis: readRedis(given.REDIS, complain),
    redisPrefix: given.REDIS_PREFIX,
    redisThrowAway: given.REDIS_THROW_AWAY,
    artifacts: readArtifacts(given, complain),
    tls,
    logLevel: given.LOG_LEVEL,
    leaseMs,
    // The agent stops itself well before its job may go to another: clocks are monotonic, but a process may be slow to notice.
    selfStopMs: Math.round(leaseMs * 0.6),
    // Four renewals may get lost before that.
    heartbeatMs: Math.max(100, Math.min(10_000, Math.round(leaseMs / 7.5))),
    maxLogBytes: given.MAX_LOG_MB * 1024 * 1024,
    openVariantsPerUser: given.OPEN_VARIANTS_PER_USER,
    runningPerUser: given.RUNNING_PER_USER,
    requestsPerMinute: given.REQUESTS_PER_MINUTE,
    replicas: given.REPLICAS,
    replicaWaitMs: given.REPLICA_WAIT_SECONDS * 1000,
    fingerprintMs: given.FINGERPRINT_SECONDS * 1000,
    keepFinishedMs: given.KEEP_FINISHED_DAYS,
    keepFailedMs: given.KEEP_FAILED_DAYS,
    keepNewestCheckpoints: given.KEEP_NEWEST_CHECKPOINTS,
    agentBudgetBytes: given.KEEP_GB_PER_AGENT ?? null,
    farmBudgetBytes: given.KEEP_GB ?? null,
    keepArtifactsMs: given.KEEP_ARTIFACTS_DAYS,
    keepLogsMs: given.KEEP_LOGS_DAYS,
    keepNewestPerName: given.KEEP_NEWEST,
    keepEventsMs: Math.max(given.KEEP_EVENTS_DAYS, MINUTE_MS),
  };
}

function readListen(text: string, complain: Complain): ListenAddress {
  if (text.startsWith('unix:/')) return { kind: 'socket', path: text.slice('unix:'.length) };
  const match = /^(?:\[([0-9a-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    complain(`DISTROFARM_LISTEN: found "${text}"; expected host:port, [IPv6]:port or unix:/path`);
    return { kind: 'tcp', host: '127.0.0.1', port: DEFAULT_PORT };
  }
  return { kind: 'tcp', host: match[1] ?? match[2] ?? '', port };
}

export function isLoopback(listen: ListenAddress): boolean {
  return listen.kind === 'socket' || /^(127\.\d+\.\d+\.\d+|::1|localhost)$/.test(listen.host);
}

function readTls(given: Environment, listen: ListenAddress, complain: Complain): TlsMode {
  const { TLS_CERT: certificate, TLS_KEY: key } = given;
  if (given.TLS === 'off') return { kind: 'off' };
  if (given.TLS === 'files' || certificate !== undefined || key !== undefined) {
    if (certificate !== undefined && key !== undefined) return { kind: 'files', certificate, key };
    complain('DISTROFARM_TLS_CERT and DISTROFARM_TLS_KEY belong together: both name PEM files');
    return { kind: 'off' };
  }
  if (given.TLS === 'auto' && isLoopback(listen)) return { kind: 'off' };
  const own = listen.kind === 'tcp' && !/^(0\.0\.0\.0|::)$/.test(listen.host) ? [listen.host] : [];
  const fromUrl = given.URL === undefined ? [] : [new URL(given.URL).hostname.replace(/^\[|\]$/g, '')];
  const more = given.TLS_NAMES.split(/[\s,]+/).filter((name) => name !== '');
  return {
    kind: 'private-ca',
    names: [...new Set([...own, ...fromUrl, ...more, hostname(), 'localhost', '127.0.0.1', '::1'])],
  };
}

function defaultUrl(listen: ListenAddress, tls: TlsMode): string {
  if (listen.kind === 'socket') return `unix:${listen.path}`;
  const host = /^(0\.0\.0\.0|::)$/.test(listen.host) ? hostname() : listen.host;
  const name = host.includes(':') ? `[${host}]` : host;
  return `${tls.kind === 'off' ? 'http' : 'https'}://${name}:${listen.port}`;
}

function readDatabase(given: Environment, complain: Complain): DatabaseConfig {
  const text = given.DATABASE;
  if (/^postgres(ql)?:\/\//.test(text)) return { kind: 'postgres', url: text };
  if (text === 'sqlite') return { kind: 'sqlite', path: join(given.DATA, 'farm.db') };
  if (text.startsWith('sqlite:/')) return { kind: 'sqlite', path: text.slice('sqlite:'.length) };
  complain('DISTROFARM_DATABASE: expected sqlite, sqlite:/path/to/file or postgres://user@host/database');
  return { kind: 'sqlite', path: join(given.DATA, 'farm.db') };
}

function readRedis(text: string, complain: Complain): RedisConfig {
  if (/^rediss?:\/\//.test(text)) return { kind: 'url', url: text };
  if (text.startsWith('unix:/')) return { kind: 'socket', path: text.slice('unix:'.length) };
  complain('DISTROFARM_REDIS: expected redis://host:port, rediss://host:port or unix:/path/to/socket');
  return { kind: 'url', url: 'redis://127.0.0.1:6379' };
}

function readArtifacts(given: Environment, complain: Complain): ArtifactConfig {
  const text = given.ARTIFACTS;
  if (text === 'directory') return { kind: 'directory', folder: join(given.DATA, 'artifacts') };
  if (isAbsolute(text)) return { kind: 'directory', folder: text };
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9_./-]*))?$/.exec(text);
  if (match === null) {
    complain(`DISTROFARM_ARTIFACTS: found "${text}"; expected directory, /folder or s3://bucket/prefix`);
    return { kind: 'directory', folder: join(given.DATA, 'artifacts') };
  }
  if ((given.S3_ACCESS_KEY === undefined) !== (given.S3_SECRET_KEY === undefined))
    complain('DISTROFARM_S3_ACCESS_KEY and DISTROFARM_S3_SECRET_KEY belong together');
  const prefix = (match[2] ?? '').replace(/\/+$/, '');
  return {
    kind: 's3',
    bucket: match[1] ?? '',
    prefix: prefix === '' ? '' : `${prefix}/`,
    endpoint: given.S3_ENDPOINT ?? null,
    region: given.S3_REGION,
    accessKeyId: given.S3_ACCESS_KEY ?? null,
    secretAccessKey: given.S3_SECRET_KEY ?? null,
  };
}

function describeIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map((key) => `DISTROFARM_${key}`).join(', ');
    return `${names}: no such setting; docs/operations.md lists them`;
  }
  return `DISTROFARM_${issue.path.join('.')}: ${issue.message}`;
}
