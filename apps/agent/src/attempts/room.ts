import type { AreaName, AskRoom, RoomAnswer } from '#libs/contracts';
import { SnapshotStoreError, type Space } from '#libs/engine';
import { ApiError } from '#libs/http-client';

export interface RoomOptions {
  /** What may go; the coordinator says. */
  readonly ask: (body: AskRoom) => Promise<RoomAnswer>;
  /** Resolves when the area is gone, or stays for now. */
  readonly drop: (area: AreaName) => Promise<void>;
  readonly space: () => Promise<Space>;
  readonly note: (text: string) => void;
  readonly warn: (text: string) => void;
  /** How long room that was given back may take to show. */
  readonly settleMs?: number;
}

/** A transaction group of ZFS takes up to 5 s. */
const SETTLE_MS = 10_000;
const SETTLE_POLL_MS = 100;
/** What filled the store is not tried again for less than this share of the room it had. */
const WORTH_SHARE = 0.25;
/** Each costs a step, and what others would go on from; a step that fills any disk is not to cost more. */
const MOST_TRIES = 2;

/** More room for an attempt, before it fails for want of it: what retention can spare goes at once. */
export class Room {
  #tries = 0;

  constructor(private readonly options: RoomOptions) {}

  /** Sees to it that so much is free. Whether it is. */
  async reach(neededBytes: number): Promise<boolean> {
    const { freeBytes } = await this.options.space();
    if (freeBytes >= neededBytes) return true;
    return freeBytes + (await this.#make(freeBytes, neededBytes, neededBytes)) >= neededBytes;
  }

  /**
   * Something filled the store that had so much room in front of it, and has again when it is undone. Whether there is so much more now that it is worth to be tried again.
   */
  async isWorthAnotherTry(hadBytes: number, why: string): Promise<boolean> {
    if (this.#tries === MOST_TRIES) return false;
    this.#tries += 1;
    const worthBytes = hadBytes * WORTH_SHARE;
    const made = await this.#make(hadBytes, 2 * hadBytes, hadBytes + worthBytes);
    if (made === 0 || made < worthBytes) return false;
    this.options.note(why);
    this.options.warn(`the store was full; ${megabytes(made)} of room were made; trying again`);
    return true;
  }

  /** The same for what changes nothing when it fails. */
  async trying<T>(act: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await act();
      } catch (error) {
        if (!(error instanceof SnapshotStoreError) || error.code !== 'NO_SPACE') throw error;
        const { freeBytes } = await this.options.space();
        if (!(await this.isWorthAnotherTry(freeBytes, error.message))) throw error;
      }
    }
  }

  /** Resolves to how much was made. */
  async #make(freeBytes: number, wantedBytes: number, leastBytes: number): Promise<number> {
    const { ask, drop, note, space } = this.options;
    const body = {
      freeBytes: Math.floor(freeBytes),
      wantedBytes: Math.ceil(wantedBytes),
      leastBytes: Math.ceil(leastBytes),
    };
    const before = await space();
    const areas = await askedFor(ask, body, note);
    if (areas.length === 0) return 0;
    await Promise.all(areas.map(drop));
    const made = await this.#settled(before.freeBytes, wantedBytes - freeBytes);
    note(`room: ${areas.join(', ')} removed, ${megabytes(made)} made`);
    return made;
  }

  async #settled(before: number, wanted: number): Promise<number> {
    const until = performance.now() + (this.options.settleMs ?? SETTLE_MS);
    for (;;) {
      const made = Math.max(0, (await this.options.space()).freeBytes - before);
      if (made >= wanted || performance.now() >= until) return made;
      await new Promise((later) => setTimeout(later, SETTLE_POLL_MS));
    }
  }
}

async function askedFor(
  ask: RoomOptions['ask'],
  body: AskRoom,
  note: RoomOptions['note'],
): Promise<readonly AreaName[]> {
  try {
    return (await ask(body)).drop;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    note(`room: ${error.message}`);
    return [];
  }
}

function megabytes(bytes: number): string {
  return `${Math.floor(bytes / 1_000_000)} MB`;
}
