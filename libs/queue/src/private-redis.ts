import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { RedisConfig } from './redis-config.js';

export interface PrivateRedis {
  readonly config: RedisConfig;
  readonly pid: number;
  /** Ends the server by its pid, and waits until it is gone. Its data stays in the folder. */
  stop(): Promise<void>;
}

export interface PrivateRedisOptions {
  /** Whether the server ends, in order, when this process does, however that ends. Not so for a server that ran already. Default: it lives on. */
  readonly endsWithUs?: boolean;
}

/** It cannot be started, or does not answer. */
export class PrivateRedisFailed extends Error {
  override readonly name = 'PrivateRedisFailed';
  readonly code = 'PRIVATE_REDIS_FAILED';
  constructor(
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const STARTS_WITHIN_MS = 20_000;
const STOPS_WITHIN_MS = 20_000;
const POLL_MS = 20;
/** sun_path of unix(7), less the closing zero. */
const MAX_SOCKET_PATH = 107;
/** The exit status of flock(1) when somebody else holds the lock. */
const LOCKED = 75;

/**
 * A redis-server of our own on a unix socket in `folder`, which only its owner may enter. It outlives a killed coordinator; the next one finds
 * it answering and goes on with it. Two that start at once get the same one: the server holds a lock on the folder for as long as it lives, since
 * two servers on one data folder would ruin it. Needs redis-server, flock(1) and setpriv(1).
 */
export async function startPrivateRedis(
  folder: string,
  { endsWithUs = false }: PrivateRedisOptions = {},
): Promise<PrivateRedis> {
  const home = resolve(folder);
  const path = join(home, 'redis.sock');
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    throw new PrivateRedisFailed(
      `"${path}" is too long for a socket`,
      'Choose a folder with a shorter path.',
    );
  }
  await mkdir(home, { recursive: true, mode: 0o700 });
  await chmod(home, 0o700);
  const running = await pidBehind(path);
  const pid = running ?? (await start(home, path, endsWithUs));
  await writeFile(join(home, 'redis.pid'), `${pid}\n`);
  return { config: { kind: 'socket', path }, pid, stop: () => stop(home, pid) };
}

/** The server's pid, when it answers. */
async function start(home: string, path: string, endsWithUs: boolean): Promise<number> {
  const log = await open(join(home, 'redis.log'), 'a', 0o600);
  // Each becomes the next, so that the server is our child; Redis takes SIGTERM as SHUTDOWN.
  const ending = endsWithUs ? ['--pdeathsig', 'TERM'] : ['--pdeathsig', 'keep'];
  const child = spawn('setpriv', [...ending, 'flock', ...flockArguments(home, path)], {
    cwd: home,
    // Not in our process group: Ctrl-C is for us, and we stop it when the rest has ended.
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  const ended = once(child, 'exit').then(([status]) => status as number | null);
  try {
    await once(child, 'spawn');
  } catch (error) {
    ended.catch(() => undefined);
    throw new PrivateRedisFailed('setpriv(1) cannot be run', 'Install util-linux.', { cause: error });
  } finally {
    await log.close();
  }
  child.unref();
  return await untilItAnswers(home, path, ended);
}

function flockArguments(home: string, path: string): readonly string[] {
  const lock = ['--no-fork', '--nonblock', '--conflict-exit-code', `${LOCKED}`, join(home, 'redis.lock')];
  const socket = ['--port', '0', '--unixsocket', path, '--unixsocketperm', '700'];
  // Every second: a kill loses nothing, a power cut what the database delivers again.
  const data = ['--dir', home, '--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''];
  const memory = ['--maxmemory-policy', 'noeviction'];
  return [...lock, 'redis-server', ...socket, ...data, ...memory, '--daemonize', 'no'];
}

async function untilItAnswers(home: string, path: string, ended: Promise<number | null>): Promise<number> {
  let status: number | null | undefined;
  void ended.then((code) => (status = code));
  for (let waited = 0; waited < STARTS_WITHIN_MS; waited += POLL_MS) {
    const pid = await pidBehind(path);
    if (pid !== null) return pid;
    // Locked: another one is starting it, or it is ending.
    if (status !== undefined && status !== LOCKED) throw await failed(home, `ended with status ${status}`);
    await delay(POLL_MS);
  }
  throw await failed(home, 'does not answer');
}

async function failed(home: string, what: string): Promise<PrivateRedisFailed> {
  const log = await readFile(join(home, 'redis.log'), 'utf8').catch(() => '');
  const last = log.trim().split('\n').at(-1) ?? '';
  return new PrivateRedisFailed(
    `redis-server in "${home}" ${what}: ${last}`,
    `Is redis-server installed? See ${join(home, 'redis.log')}.`,
  );
}

/** The pid of the server that answers on the socket; `null` when none does, or it is still loading. */
function pidBehind(path: string): Promise<number | null> {
  return new Promise((tell) => {
    const socket = createConnection({ path, timeout: 1_000 }, () => socket.write('INFO server\r\nPING\r\n'));
    let text = '';
    const done = (pid: number | null) => {
      socket.destroy();
      tell(pid);
    };
    socket.setEncoding('utf8').on('data', (data) => {
      text += String(data);
      if (text.endsWith('+PONG\r\n')) done(Number(/^process_id:(\d+)\r$/m.exec(text)?.[1] ?? NaN) || null);
      else if (/^-/m.test(text)) done(null);
    });
    socket.once('error', () => done(null));
    socket.once('timeout', () => done(null));
    socket.once('close', () => done(null));
  });
}

/** Redis takes SIGTERM as SHUTDOWN: it writes its data out and removes its socket. */
async function stop(home: string, pid: number): Promise<void> {
  signal(pid, 'SIGTERM');
  for (let waited = 0; isAlive(pid); waited += POLL_MS) {
    if (waited >= STOPS_WITHIN_MS) {
      signal(pid, 'SIGKILL');
      break;
    }
    await delay(POLL_MS);
  }
  await rm(join(home, 'redis.pid'), { force: true });
}

function isAlive(pid: number): boolean {
  return signal(pid, 0);
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
