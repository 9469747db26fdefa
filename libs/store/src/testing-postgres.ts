import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Where Debian's packages put them: `/usr/lib/postgresql/<major version>/bin`. */
const VERSIONS = '/usr/lib/postgresql';
const SUPERUSER = 'distrofarm';

export interface PostgresServer {
  /** Of its database `postgres`, for its superuser. */
  readonly url: string;
  urlOf(database: string): string;
  /**
   * Stops it (`fast`: connections are told; `immediate`: as if it crashed), and starts it again with the same data. `whileDown` runs in between.
   */
  restart(how?: 'fast' | 'immediate', whileDown?: () => Promise<void>): Promise<void>;
  /** Removes its data, too. */
  stop(): Promise<void>;
}

/**
 * For specs: a PostgreSQL server of its own, in a temporary folder, that only a socket in that folder leads to. It sorts text as a language does (ICU),
 * since real servers do. It ends when the process that started it ends. Throws where PostgreSQL's server programs are missing.
 */
export async function startPostgres(): Promise<PostgresServer> {
  const bin = newestBin();
  const owner = serverUser();
  const folder = mkdtempSync(join(tmpdir(), 'distrofarm-postgres-'));
  try {
    if (owner !== null) chownSync(folder, owner.uid, owner.gid);
    const data = join(folder, 'data');
    run(owner, join(bin, 'initdb'), [
      `--pgdata=${data}`,
      `--username=${SUPERUSER}`,
      '--auth=trust',
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=icu',
      '--icu-locale=en-US',
      '--no-sync',
    ]);
    const start = () => startServer(owner, join(bin, 'postgres'), data, folder);
    return serverIn(folder, await start(), start);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function serverIn(folder: string, first: ChildProcess, start: () => Promise<ChildProcess>): PostgresServer {
  let server = first;
  const urlOf = (database: string) => `postgres://${SUPERUSER}@/${database}?host=${folder}`;
  return {
    url: urlOf('postgres'),
    urlOf,
    async restart(how = 'fast', whileDown = () => Promise.resolve()) {
      await end(server, how === 'fast' ? 'SIGINT' : 'SIGQUIT');
      await whileDown();
      server = await start();
    },
    async stop() {
      await end(server, 'SIGINT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function newestBin(): string {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).map(Number) : [];
  const newest = versions
    .filter((version) => existsSync(join(VERSIONS, String(version), 'bin/postgres')))
    .sort((a, b) => b - a)[0];
  if (newest !== undefined) return join(VERSIONS, String(newest), 'bin');
  throw new Error(`no PostgreSQL server below ${VERSIONS}: apt-get install postgresql`);
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root; `null` when we are not root, and it runs as we do. */
function serverUser(): User | null {
  if (process.getuid?.() !== 0) return null;
  const user = ['postgres', 'nobody'].find(exists);
  if (user === undefined)
    throw new Error('neither user "postgres" nor "nobody" is there to run PostgreSQL as');
  return { uid: idOf(['-u', user]), gid: idOf(['-g', user]) };
}

function exists(user: string): boolean {
  try {
    idOf(['-u', user]);
    return true;
  } catch {
    return false;
  }
}

function idOf(args: readonly string[]): number {
  return Number(execFileSync('id', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
}

/** setpriv(1) becomes the program, so that the process we know is PostgreSQL's; and it ends it when we end without a word. */
function asUser(owner: User | null, program: string, args: readonly string[]): readonly string[] {
  const user = owner === null ? [] : [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups'];
  return [...user, '--pdeathsig=INT', '--', program, ...args];
}

function run(owner: User | null, program: string, args: readonly string[]): void {
  execFileSync('setpriv', asUser(owner, program, args), { cwd: '/', stdio: ['ignore', 'ignore', 'inherit'] });
}

async function startServer(
  owner: User | null,
  program: string,
  data: string,
  socketFolder: string,
): Promise<ChildProcess> {
  const settings = [
    'listen_addresses=',
    `unix_socket_directories=${socketFolder}`,
    'unix_socket_permissions=0700',
    'fsync=off',
    'max_connections=60',
    'log_min_messages=warning',
    'log_line_prefix=',
    'lc_messages=C',
  ];
  const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
  const server = spawn('setpriv', asUser(owner, program, args), {
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await untilReady(server);
  return server;
}

/** Its log is read to its end, since a full pipe would stop it. */
async function untilReady(server: ChildProcess): Promise<void> {
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: server.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      said.push(line);
      if (line.includes('ready to accept connections')) resolve();
    });
    server.once('error', reject);
    server.once('exit', () => reject(new Error(`PostgreSQL did not start:\n${said.join('\n')}`)));
  });
}

async function end(server: ChildProcess, signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  server.kill(signal);
  await ended;
}
