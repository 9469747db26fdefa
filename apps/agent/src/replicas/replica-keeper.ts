import type { AreaName, Holding, WantedReplica } from '#libs/contracts';
import type { Checkpoint } from '#libs/plan';
import type { Logger } from 'pino';
import type { AreaDesk, EnteredArea } from '../areas/area-desk.js';
import { heldBase } from '../attempts/base-checkpoint.js';
import { fetchCheckpoint } from '../transfers/checkpoint-fetcher.js';
import type { CoordinatorLink } from '../link/coordinator-link.js';
import { holdingOf } from '../attempts/note-event.js';
import type { Peers } from '../transfers/peers.js';
import { persistently } from '../link/persistently.js';
import { Wakeable } from '../wakeable.js';

export interface ReplicaKeeperOptions {
  readonly link: Pick<CoordinatorLink, 'wantedReplicas' | 'heldReplica' | 'askTransfer'>;
  readonly desk: Pick<AreaDesk, 'enter' | 'isBusy'>;
  readonly peers: Pick<Peers, 'credentials'>;
  readonly log: Logger;
  /** Default: over the network. */
  readonly fetch?: typeof fetchCheckpoint;
}

/** Hints say when there is something; who missed one asks by himself after so long. */
const ASK_AGAIN_MS = 300_000;
/** Urgent ones do not queue behind one that is not; a source sends no more than eight at a time to all. */
const MOST_AT_ONCE = 4;

/**
 * Keeps copies of what other agents' jobs have got to, as the coordinator wants them, beside the jobs that run here and without a slot of theirs: one area at a time, and those
 * at once that a job is in want of. What does not come is let be until the next hint, which comes for as long as it is wanted.
 */
export class ReplicaKeeper {
  readonly #wakeable = new Wakeable();
  /** What is still to be begun of what was wanted last. */
  #queue: readonly WantedReplica[] = [];
  readonly #underWay = new Map<AreaName, Promise<void>>();
  #urgent: ReadonlySet<AreaName> = new Set();

  constructor(private readonly options: ReplicaKeeperOptions) {}

  wake(): void {
    this.#wakeable.wake();
  }

  /** Until aborted. Nothing is under way any more when it resolves. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#ask(signal);
      await this.#wakeable.wait(ASK_AGAIN_MS, signal);
    }
    await Promise.all(this.#underWay.values());
  }

  /** Also while copies are under way: one of them may have become urgent. */
  async #ask(signal: AbortSignal): Promise<void> {
    const { link, log } = this.options;
    try {
      const { replicas } = await link.wantedReplicas(signal);
      this.#urgent = new Set(replicas.filter(({ urgent }) => urgent).map(({ area }) => area));
      this.#queue = replicas;
      this.#begin(signal);
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'the coordinator does not say what is to be copied');
    }
  }

  #begin(signal: AbortSignal): void {
    const stays = this.#queue.filter((wanted) => {
      if (signal.aborted || !this.#mayBegin(wanted)) return true;
      const kept = this.#tryToKeep(wanted, signal).then((came) => {
        this.#underWay.delete(wanted.area);
        // More of it may be wanted by now.
        if (came) this.wake();
        else this.#begin(signal);
      });
      this.#underWay.set(wanted.area, kept);
      return false;
    });
    this.#queue = stays;
  }

  #mayBegin({ area }: WantedReplica): boolean {
    if (this.#underWay.has(area)) return false;
    return this.#underWay.size < (this.#urgent.has(area) ? MOST_AT_ONCE : 1);
  }

  /** Resolves to whether anything came. */
  async #tryToKeep(wanted: WantedReplica, signal: AbortSignal): Promise<boolean> {
    const { desk, log } = this.options;
    let came = false;
    try {
      const area = await desk.enter(wanted.area);
      try {
        await this.#keep(area, wanted, signal, () => (came = true));
      } finally {
        await area.leave();
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error, area: wanted.area }, 'no copy of a checkpoint');
    }
    return came;
  }

  /** One after the other, each from the one before it; those that are here already are left out. */
  async #keep(
    area: EnteredArea,
    { area: name, base, checkpoints }: WantedReplica,
    signal: AbortSignal,
    onCame: () => void,
  ): Promise<void> {
    const [first] = checkpoints;
    const here = await area.store.list(first?.workspace ?? '');
    const held = checkpoints.map(({ id, label }) =>
      here.find((each) => each.id === id && each.label === label),
    );
    const lacking = held.indexOf(undefined);
    if (lacking < 0) return;
    refuseToLose(here, checkpoints);
    let last = held[lacking - 1] ?? (await heldBase(area.store, base)) ?? null;
    for (const wanted of checkpoints.slice(lacking)) {
      last = await this.#fetch(area, name, wanted, last, signal);
      if (last === null) return;
      onCame();
    }
  }

  async #fetch(
    area: EnteredArea,
    name: AreaName,
    wanted: Holding,
    base: Checkpoint | null,
    signal: AbortSignal,
  ): Promise<Checkpoint | null> {
    const { desk, link, peers, log, fetch = fetchCheckpoint } = this.options;
    const { label } = wanted;
    const fetched = await fetch({ store: area.beside }, name, wanted, base, {
      link,
      credentials: () => peers.credentials,
      onProgress: () => undefined,
      onFailure: (error) =>
        log.warn({ err: error, area: name, label }, 'a copy of a checkpoint did not come'),
      isBusy: () => desk.isBusy && !this.#urgent.has(name),
      signal,
    });
    if (fetched === null) return null;
    const { checkpoint, from, bytes, ms } = fetched;
    log.info({ area: name, label, from, bytes, ms }, 'checkpoint copied');
    await persistently(
      () => link.heldReplica({ area: name, holding: wanted, from, bytes, ms }, signal),
      signal,
    );
    return checkpoint;
  }
}

/** The coordinator may not know yet how far a job got here that it believes to be lost. Throws then. */
function refuseToLose(here: readonly Checkpoint[], wanted: readonly Holding[]): void {
  const tip = wanted.at(-1);
  const newer = here
    .filter(({ id }) => wanted.every((each) => each.id !== id))
    .flatMap((checkpoint) => holdingOf(checkpoint) ?? [])
    .find(({ lineage, takenAt }) => lineage === tip?.lineage && takenAt >= tip.takenAt);
  if (newer === undefined) return;
  throw new Error(`the job got further here, to ${newer.label}, than what is to be copied`);
}
