import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** Another build has the area. `holder` is what it wrote about itself. */
export class BuildAreaLockedError extends Error {
  override readonly name = 'BuildAreaLockedError';
  constructor(
    readonly area: string,
    readonly holder: string,
  ) {
    super(`another build is running in ${area}: ${holder}`);
  }
}

/**
 * One build per build area. The lock is the kernel's (flock(2) on a file in the area), so it ends with its holder however that ends, and
 * holds across network and process namespaces.
 */
export class BuildAreaLock {
  private constructor(private readonly file: number) {}

  /** Throws BuildAreaLockedError. `command` is shown to whoever is refused. */
  static take(areaPath: string, command: string, now: Date = new Date()): BuildAreaLock {
    const path = join(areaPath, '.distro_const.lock');
    // Node opens close-on-exec, so no step can inherit the descriptor and keep the lock.
    const file = openSync(path, 'a+', 0o600);
    // flock(1) locks the open file that it shares with us, and exits; the lock stays with our descriptor.
    const { status } = spawnSync('flock', ['--exclusive', '--nonblock', '0'], {
      stdio: [file, 'ignore', 'ignore'],
    });
    if (status !== 0) {
      const holder = readFileSync(path, 'utf8').trim();
      closeSync(file);
      throw new BuildAreaLockedError(areaPath, holder === '' ? 'it has not said who it is' : holder);
    }
    const lock = new BuildAreaLock(file);
    lock.#say(`process ${process.pid} on ${hostname()}, "${command}", since ${now.toISOString()}\n`);
    return lock;
  }

  release(): void {
    this.#say('');
    closeSync(this.file);
  }

  /** Words for whoever is refused. What counts is the descriptor: on a full or lost disk the lock holds without them. */
  #say(words: string): void {
    try {
      ftruncateSync(this.file);
      writeSync(this.file, words);
    } catch {
      // See above.
    }
  }
}
