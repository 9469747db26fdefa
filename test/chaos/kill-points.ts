import { randomUUID } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** A moment in a program's work, and what it was at: a step, a checkpoint's label, a job by its first step. */
export interface Place {
  readonly moment: string;
  readonly at: string;
}

/** Whose work it was. */
export interface Work {
  readonly build: string | null;
  readonly job: string | null;
  readonly attempt: string | null;
}

/** A program that ended itself. */
export interface Kill extends Place, Work {
  /** Who it was: the name of an agent, or `coordinator`. */
  readonly program: string;
  /** Milliseconds since 1970. */
  readonly wall: number;
}

/** The farm tries a job again twice by itself; one of these tries is left for what a busy machine adds. */
const MOST_FOR_A_JOB = 1;
const HITS = 'hits.jsonl';
const ARMED = 'armed';

/**
 * Places at which a program is killed, each one once: by whichever process comes there first. The folder, which all of them share, has what was hit. Nothing here
 * depends on time.
 */
export class KillPoints {
  constructor(
    private readonly folder: string,
    private readonly end: () => never = endThisProcess,
  ) {
    for (const name of ['places', 'jobs']) mkdirSync(join(folder, name), { recursive: true });
  }

  /** From now on, and until it is called with `null`, such programs are killed. */
  arm(program: string | null): void {
    if (program === null) rmSync(join(this.folder, ARMED), { force: true });
    else writeFileSync(join(this.folder, ARMED), program);
  }

  /** Does not return when the process is to be killed here. */
  reach(program: string, place: Place, work: Work): void {
    const { build, job, attempt } = work;
    if (!program.startsWith(this.#armed ?? '-') || !this.#mayHit(job)) return;
    if (!claimed(join(this.folder, 'places', encodeURIComponent(`${place.moment}|${place.at}`)))) return;
    if (job !== null) mkdirSync(join(this.folder, 'jobs', job, randomUUID()), { recursive: true });
    const kill: Kill = { ...place, build, job, attempt, program, wall: Date.now() };
    appendFileSync(join(this.folder, HITS), `${JSON.stringify(kill)}\n`);
    this.end();
  }

  get kills(): readonly Kill[] {
    if (!existsSync(join(this.folder, HITS))) return [];
    const lines = readFileSync(join(this.folder, HITS), 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Kill);
  }

  get #armed(): string | null {
    return existsSync(join(this.folder, ARMED)) ? readFileSync(join(this.folder, ARMED), 'utf8') : null;
  }

  #mayHit(job: string | null): boolean {
    if (job === null) return true;
    const folder = join(this.folder, 'jobs', job);
    return !existsSync(folder) || readdirSync(folder).length < MOST_FOR_A_JOB;
  }
}

function endThisProcess(): never {
  process.kill(process.pid, 'SIGKILL');
  // The signal comes before another line runs.
  for (;;);
}

function claimed(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
