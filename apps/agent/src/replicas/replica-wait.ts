import type { AreaName, Assignment, CheckpointRef, CopiesAnswer } from '#libs/contracts';
import type { BuildEvent } from '#libs/engine';
import { ApiError } from '#libs/http-client';
import type { LateCopies } from './late-copies.js';
import { persistently } from '../link/persistently.js';
import { Wakeable } from '../wakeable.js';

export interface ReplicaWaitOptions {
  readonly area: AreaName;
  /** How far the job may be ahead of the copies. */
  readonly mode: NonNullable<Assignment['copies']>;
  readonly late: Pick<LateCopies, 'watch' | 'add' | 'delete'>;
  readonly ask: (checkpoint: CheckpointRef, signal: AbortSignal) => Promise<CopiesAnswer>;
  /** The job is to stop here anyway. */
  readonly isCalledOff: () => boolean;
  readonly note: (text: string) => void;
  /** It goes on without a copy. Once, until the copies have caught up. */
  readonly warn: (text: string) => void;
  readonly askAgainMs?: number;
  readonly unansweredMs?: number;
  readonly signal: AbortSignal;
}

/** Hints say when one has come; who missed one asks by himself after so long. */
const ASK_AGAIN_MS = 2_000;
/** A coordinator that is away brings no copies either: the job then goes on, for as long as its lease lets it. */
const UNANSWERED_MS = 30_000;

/**
 * Holds a job up between two steps until the copies of its checkpoints have caught up. It counts what this attempt took: what was at hand when it began is no safer for
 * waiting.
 */
export class ReplicaWait {
  readonly #wakeable = new Wakeable();
  readonly #taken: CheckpointRef[] = [];
  #there: CheckpointRef | null = null;
  #goesWithout = false;

  constructor(private readonly options: ReplicaWaitOptions) {}

  /** Looks at what the loop tells. */
  see(event: BuildEvent): void {
    if (event.type !== 'checkpoint-taken' && event.type !== 'resumed') return;
    const { id, workspace, label } = event.checkpoint;
    this.#taken.push({ id, workspace, label });
  }

  wake(): void {
    this.#wakeable.wake();
  }

  /** Resolves when the job may go on behind the step that it has just run. */
  async pass(): Promise<void> {
    const wanted = this.#wanted();
    if (wanted === null || wanted === this.#there) return;
    this.options.late.watch(this);
    for (let turn = 0; !this.#isOver; turn += 1) {
      const answer = await this.#ask(wanted);
      if (answer === null) return;
      if (answer.kind === 'there') {
        if (turn > 0) this.options.note(`the copy of ${wanted.label} is there`);
        this.#there = wanted;
        this.#goesWithout = false;
        this.end();
        return;
      }
      this.options.late.add(this, this.options.area);
      if (answer.kind === 'without') {
        this.#goOnWithout(wanted, answer.reason);
        return;
      }
      if (turn === 0) this.options.note(`waits for the copy of ${wanted.label}: ${answer.reason}`);
      await this.#wakeable.wait(this.options.askAgainMs ?? ASK_AGAIN_MS, this.options.signal);
    }
  }

  /** Nothing is wanted any more. */
  end(): void {
    this.options.late.delete(this);
  }

  get #isOver(): boolean {
    return this.options.signal.aborted || this.options.isCalledOff();
  }

  /** `null`: there is nothing yet that waiting would save. */
  #wanted(): CheckpointRef | null {
    const newest = this.#taken.length - 1;
    return newest < 1 ? null : (this.#taken[this.options.mode === 'each' ? newest : newest - 1] ?? null);
  }

  /** `null`: go on, whatever it is; the attempt is over, or is told so elsewhere. */
  async #ask(wanted: CheckpointRef): Promise<CopiesAnswer | null> {
    const { ask, askAgainMs = ASK_AGAIN_MS, unansweredMs = UNANSWERED_MS, signal } = this.options;
    const unanswered = AbortSignal.timeout(this.#goesWithout ? askAgainMs : unansweredMs);
    const either = AbortSignal.any([signal, unanswered]);
    try {
      return await persistently(() => ask(wanted, either), either);
    } catch (error) {
      if (unanswered.aborted && !signal.aborted)
        return { kind: 'without', reason: 'the coordinator does not answer' };
      if (signal.aborted || error instanceof ApiError) return null;
      throw error;
    }
  }

  #goOnWithout({ label }: CheckpointRef, reason: string): void {
    if (!this.#goesWithout)
      this.options.warn(
        `going on without a copy of ${label}: ${reason}. Until it is there, the loss of this host costs the steps behind the newest checkpoint that was copied`,
      );
    this.#goesWithout = true;
  }
}
