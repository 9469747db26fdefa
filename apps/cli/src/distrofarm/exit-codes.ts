import type { BuildDetail, FarmErrorCode } from '#libs/contracts';

/** How `distrofarm` ends; scripts rely on it. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  server: 3,
  notFound: 4,
  permission: 5,
  config: 6,
  notAuthenticated: 7,
  paused: 8,
  cancelled: 9,
  infrastructure: 10,
  timeout: 11,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'done as asked; a watched build succeeded',
  failed: 'the build, or one of its steps, failed; a check did not hold',
  usage: 'the command line or the manifest is wrong; nothing was changed',
  server: 'the farm cannot be reached, or refused for a reason of its own',
  notFound: 'there is no such build, agent, token, artifact or file',
  permission: 'the token may not do that',
  config: 'no farm is configured, or the configuration cannot be used',
  notAuthenticated: 'no token, or one that is unknown, expired or revoked',
  paused: 'the watched build paused',
  cancelled: 'the watched build was cancelled',
  infrastructure: 'an agent was lost, or no agent could run it; no step is to blame',
  timeout: 'not over within --timeout; the build goes on',
  interrupted: 'interrupted by Ctrl-C; the build goes on',
};

const BY_API_CODE: Readonly<Record<FarmErrorCode, ExitCode>> = {
  INVALID: EXIT.usage,
  MANIFEST_INVALID: EXIT.usage,
  NOT_AUTHENTICATED: EXIT.notAuthenticated,
  FORBIDDEN: EXIT.permission,
  SCRIPT_NOT_CATALOGUED: EXIT.permission,
  NOT_FOUND: EXIT.notFound,
  CONFLICT: EXIT.server,
  STALE_EPOCH: EXIT.server,
  WRONG_OFFSET: EXIT.server,
  TOO_LARGE: EXIT.usage,
  DIGEST_MISMATCH: EXIT.server,
  UNPLACEABLE: EXIT.infrastructure,
  TOO_MANY: EXIT.server,
  INTERNAL: EXIT.server,
  UNAVAILABLE: EXIT.server,
};

/** Codes that a newer coordinator may have are the server's. */
export function exitForApiCode(code: string): ExitCode {
  return Object.hasOwn(BY_API_CODE, code) ? BY_API_CODE[code as FarmErrorCode] : EXIT.server;
}

/** How a command that waited for a build ends. A build that is still under way is no failure. */
export function exitForBuild(build: Pick<BuildDetail, 'state' | 'jobs'>): ExitCode {
  switch (build.state) {
    case 'succeeded':
    case 'waiting':
    case 'running':
      return EXIT.ok;
    case 'paused':
      return EXIT.paused;
    case 'cancelled':
      return EXIT.cancelled;
    case 'failed':
      return stepIsToBlame(build) ? EXIT.failed : EXIT.infrastructure;
  }
}

/** One job that failed by its own step is enough. */
function stepIsToBlame({ jobs }: Pick<BuildDetail, 'jobs'>): boolean {
  const failed = jobs.filter(({ state }) => state === 'failed');
  const ends = failed.map(({ attempts }) => attempts.at(-1)?.end?.kind);
  return ends.length === 0 || ends.some((kind) => kind !== 'infrastructure');
}

/** What `help exit-codes` prints. */
export function exitCodeTable(): string {
  const rows = Object.entries(EXIT).map(([name, code]) => {
    return `  ${String(code).padStart(3)}  ${MEANINGS[name as keyof typeof EXIT]}`;
  });
  return ['Exit codes:', '', ...rows, ''].join('\n');
}
