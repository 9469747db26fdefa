import { CliError } from '../cli-error.js';
import { EXIT } from '../exit-codes.js';
import type { PrivateRedis } from '#libs/queue';
import { restartDelayMs, pause } from './keep-running.js';

const LOOK_EVERY_MS = 1_000;

/** The farm's own Redis: started again when it ends, and ended with this process. */
export class LocalRedis {
  private constructor(
    private readonly folder: string,
    private server: PrivateRedis,
  ) {}

  /** Throws a CliError. */
  static async start(folder: string): Promise<LocalRedis> {
    const { PrivateRedisFailed } = await import('#libs/queue');
    try {
      return new LocalRedis(folder, await startIn(folder));
    } catch (error) {
      if (!(error instanceof PrivateRedisFailed)) throw error;
      throw new CliError(
        EXIT.config,
        error.message,
        `${error.hint}\nInstall it: apt-get install redis-server, or run scripts/setup.sh`,
      );
    }
  }

  /** As DISTROFARM_REDIS has it. */
  get address(): string {
    const { config } = this.server;
    return config.kind === 'socket' ? `unix:${config.path}` : config.url;
  }

  /** Looks after it until the signal aborts. */
  async keepRunning(signal: AbortSignal, tell: (text: string) => Promise<void>): Promise<void> {
    const hasStopped = (): boolean => signal.aborted;
    let failures = 0;
    while (!hasStopped()) {
      await pause(failures === 0 ? LOOK_EVERY_MS : restartDelayMs(failures), signal);
      if (hasStopped() || isAlive(this.server.pid)) continue;
      try {
        if (failures === 0) await tell('ended; starting it again');
        this.server = await startIn(this.folder);
        failures = 0;
        await tell('up again');
      } catch (error) {
        failures += 1;
        await tell((error as Error).message);
      }
    }
  }

  async stop(): Promise<void> {
    await this.server.stop();
  }
}

async function startIn(folder: string): Promise<PrivateRedis> {
  const { startPrivateRedis } = await import('#libs/queue');
  return await startPrivateRedis(folder, { endsWithUs: true });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
