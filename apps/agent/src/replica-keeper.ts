import type { AreaName, Holding, WantedReplica } from '#libs/contracts';
import type { Checkpoint } from '#libs/plan';
import type { Logger } from 'pino';
import type { AreaDesk, EnteredArea } from './area-desk.js';
import { heldBase } from './base-checkpoint.js';
import { fetchCheckpoint } from './checkpoint-fetcher.js';
import type { CoordinatorLink } from './coordinator-link.js';
import { holdingOf } from './note-event.js';
import type { Peers } from './peers.js';
import { persistently } from './persistently.js';
import { Wakeable } from './wakeable.js';

export interface ReplicaKeeperOptions {
  readonly link: Pick<CoordinatorLink, 'wantedReplicas' | 'heldReplica' | 'askTransfer'>;
  readonly desk: AreaDesk;
  readonly peers: Pick<Peers, 'credentials'>;
  readonly log: Logger;
}

/** Hints say when there is something; who missed one asks by himself after so long. */
const ASK_AGAIN_MS = 300_000;

/**
 * Keeps copies of what other agents' jobs have got to, as the coordinator wants them: one checkpoint at a time, beside the jobs that run here and without a slot of
 * theirs. What does not come is let be until the next hint, which comes for as long as it is wanted.
 */
export class ReplicaKeeper {
  readonly #wakeable = new Wakeable();

  constructor(private readonly options: ReplicaKeeperOptions) {}

  wake(): void {
    this.#wakeable.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (!(await this.#pass(signal))) await this.#wakeable.wait(ASK_AGAIN_MS, signal);
    }
  }

  /** Resolves to whether anything came: then more may be wanted by now. */
  async #pass(signal: AbortSignal): Promise<boolean> {
    const { link, log } = this.options;
    let came = 0;
    try {
      const { replicas } = await link.wantedReplicas(signal);
      for (const wanted of replicas) await this.#tryToKeep(wanted, signal, () => (came += 1));
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'the coordinator does not say what is to be copied');
    }
    return came > 0;
  }

  async #tryToKeep(wanted: WantedReplica, signal: AbortSignal, onCame: () => void): Promise<void> {
    const { desk, log } = this.options;
    try {
      const area = await desk.enter(wanted.area);
      try {
        await this.#keep(area, wanted, signal, onCame);
      } finally {
        await area.leave();
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error, area: wanted.area }, 'no copy of a checkpoint');
    }
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
    const { desk, link, peers, log } = this.options;
    const { label } = wanted;
    const fetched = await fetchCheckpoint({ store: area.beside }, name, wanted, base, {
      link,
      credentials: () => peers.credentials,
      onProgress: () => undefined,
      onFailure: (error) =>
        log.warn({ err: error, area: name, label }, 'a copy of a checkpoint did not come'),
      isBusy: () => desk.isBusy,
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
