import type { Redis } from 'ioredis';
import type { FarmRedis } from './farm-redis.js';

/** What is wrong with a Redis server, as one sentence that says what to set. `refuse`: a farm must not start on it. */
export interface RedisProblem {
  readonly severity: 'refuse' | 'warn';
  readonly text: string;
}

type Version = readonly [number, number, number];

/** `lpos`, and what else BullMQ relies on. */
const OLDEST: Version = [6, 2, 0];
/** The first release of each line without CVE-2025-49844 (code execution by a Lua script). Lines without a fix are not here. */
const PATCHED: Readonly<Record<'redis' | 'valkey', readonly Version[]>> = {
  redis: [
    [6, 2, 20],
    [7, 2, 11],
    [7, 4, 6],
    [8, 0, 4],
    [8, 2, 2],
  ],
  valkey: [
    [7, 2, 11],
    [8, 0, 6],
    [8, 1, 4],
  ],
};

/**
 * Whether the farm's messages are safe on this server. `throwAway`: what is on it may be lost at any moment, so it need not be kept on disk. Works
 * also where the user may not read the configuration. Throws UNAVAILABLE.
 */
export async function checkRedis(
  redis: FarmRedis,
  { throwAway }: { readonly throwAway: boolean },
): Promise<readonly RedisProblem[]> {
  return redis.run(async (commands) => {
    const info = await commands.info();
    return judgeRedis(info, throwAway ? 'not needed' : await readSave(commands));
  });
}

/** `info`: what INFO says. `save`: when snapshots are saved; `null` where that is not known. */
export function judgeRedis(info: string, save: string | null): readonly RedisProblem[] {
  const facts = parseInfo(info);
  return [
    ...versionProblems(facts),
    ...roleProblems(facts),
    ...memoryProblems(facts),
    ...persistenceProblems(facts, save),
  ];
}

type Info = ReadonlyMap<string, string>;

function parseInfo(text: string): Info {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

/** `null` where the user may not know. */
async function readSave(commands: Redis): Promise<string | null> {
  try {
    const [, save] = await commands.config('GET', 'save');
    return save ?? null;
  } catch (error) {
    if (/NOPERM|unknown command/i.test((error as Error).message)) return null;
    throw error;
  }
}

function versionProblems(info: Info): readonly RedisProblem[] {
  const valkey = info.get('valkey_version');
  const name = valkey === undefined ? 'redis' : 'valkey';
  const text = valkey ?? info.get('redis_version') ?? '0';
  const version = parseVersion(text);
  if (isBefore(version, OLDEST)) {
    return [
      { severity: 'refuse', text: `${name} ${text} is too old: install ${OLDEST.join('.')} or newer.` },
    ];
  }
  if (isPatched(version, PATCHED[name])) return [];
  return [
    {
      severity: 'warn',
      text:
        `${name} ${text} may have CVE-2025-49844: update it, unless your distribution has patched this version` +
        ' (Debian 12 did in 5:7.0.15-1~deb12u6).',
    },
  ];
}

function roleProblems(info: Info): readonly RedisProblem[] {
  if (info.get('role') !== 'slave') return [];
  return [{ severity: 'refuse', text: 'Redis is a replica: give the address of its master.' }];
}

function memoryProblems(info: Info): readonly RedisProblem[] {
  const policy = info.get('maxmemory_policy');
  if (policy === undefined || policy === 'noeviction') return [];
  return [
    {
      severity: 'refuse',
      text: `Redis drops keys when its memory is full (maxmemory-policy ${policy}): set maxmemory-policy noeviction.`,
    },
  ];
}

function persistenceProblems(info: Info, save: string | null): readonly RedisProblem[] {
  if (info.get('aof_enabled') === '1' || (save !== null && save !== '')) return [];
  if (save === null) {
    return [
      {
        severity: 'warn',
        text: 'Redis keeps no append-only file, and whether it saves snapshots its user may not see: set appendonly yes.',
      },
    ];
  }
  return [
    {
      severity: 'refuse',
      text: 'Redis keeps nothing on disk: set appendonly yes, with appendfsync everysec.',
    },
  ];
}

function parseVersion(text: string): Version {
  const [major = 0, minor = 0, patch = 0] = text.split('.').map((part) => Number.parseInt(part, 10) || 0);
  return [major, minor, patch];
}

function isBefore(a: Version, b: Version): boolean {
  const [difference = 0] = a.map((part, index) => part - (b[index] ?? 0)).filter((part) => part !== 0);
  return difference < 0;
}

/** Of its own line, or of a line newer than all that had the fault. */
function isPatched(version: Version, patched: readonly Version[]): boolean {
  const line = patched.find(([major, minor]) => major === version[0] && minor === version[1]);
  if (line !== undefined) return !isBefore(version, line);
  const newest = patched.at(-1);
  return newest !== undefined && !isBefore(version, newest);
}
