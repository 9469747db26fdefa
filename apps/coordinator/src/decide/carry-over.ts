import type { AgentId } from '#libs/contracts';
import { counted, humanSize, listed, roughDuration } from './amounts.js';
import { canSendTo, type Peer } from './can-send-to.js';
import { runAgainFrom, type RunAgain } from './fetch-or-run-again.js';
import type { CandidateAgent, PlacementInput, WaitingJob } from './placement-input.js';

/** What an agent would have to do before a job is as far there as it was. */
export interface CarryOver {
  /** Checkpoints that come from `from`. */
  readonly fetched: number;
  readonly from: CandidateAgent | null;
  readonly fetchMs: number;
  /** What runs again although it could be fetched, since that is cheaper. */
  readonly again: RunAgain | null;
  /** Of what is not fetched for it; `null`: not known. */
  readonly againBytes: number | null;
  /** Finished steps that run again, since nobody can send the checkpoints behind them. */
  readonly repeated: number;
  readonly repeatMs: number;
  /** What would run again if nothing were fetched. */
  readonly savedSteps: number;
  readonly savedMs: number;
  readonly costMs: number;
}

/** Both ways to get a job as far on an agent as it is elsewhere, and what is decided. */
export interface Weighing {
  readonly from: CandidateAgent;
  /** All that could be fetched from there. */
  readonly fetch: {
    readonly checkpoints: number;
    /** `null`: not all of them have moved yet. */
    readonly bytes: number | null;
    /** As measured, of the agent's store family; `null`: nothing of any size has moved. */
    readonly bytesPerSecond: number | null;
    readonly ms: number;
  };
  /** Instead of all that. `null`: nobody knows how long they take. */
  readonly run: { readonly steps: number; readonly ms: number | null };
  /** Either way, or the one up to some boundary and the other from there. */
  readonly chosen: { readonly checkpoints: number; readonly steps: number; readonly ms: number };
}

/** Of a store family that has moved nothing yet: a checkpoint of some hundred megabytes at 100 MB/s, with the handshakes. */
export const DEFAULT_FETCH_MS = 5_000;

/** Weighs fetching against running again, for every job that has finished steps and every agent: cheap, since a pass may ask a million times. */
export class CarryOvers {
  readonly #agents: ReadonlyMap<AgentId, CandidateAgent>;
  /** Who is furthest of those that send, by lineage and store family; the best two, since nobody fetches from itself. */
  readonly #sources = new Map<string, ReadonlyMap<Peer['store'], readonly CandidateAgent[]>>();

  readonly #ofOthers = new Map<WaitingJob, Map<string, CarryOver>>();

  constructor(private readonly input: Pick<PlacementInput, 'agents' | 'holders' | 'fetches'>) {
    this.#agents = new Map(input.agents.map((agent) => [agent.id, agent]));
  }

  of(job: WaitingJob, agent: CandidateAgent): CarryOver {
    if (this.input.holders.get(job.wants.lineage)?.has(agent.id) === true) return this.#workOut(job, agent);
    // Who holds nothing is like all others of its family.
    const known = this.#ofOthers.get(job) ?? new Map<string, CarryOver>();
    const kind = `${agent.peer.store}${agent.peer.listens ? '' : ' alone'}${this.#hasBase(job, agent) ? ' with base' : ''}`;
    const over = known.get(kind) ?? this.#workOut(job, agent);
    this.#ofOthers.set(job, known.set(kind, over));
    return over;
  }

  /** `null`: nobody who could send has more of the job than the agent. */
  weigh(job: WaitingJob, agent: CandidateAgent): Weighing | null {
    const here = this.#held(job, agent.id);
    const from = this.#sourceFor(job, agent);
    const there = from === null ? 0 : this.#held(job, from.id);
    if (from === null || there <= here) return null;
    const { fetched, fetchMs, again } = this.of(job, agent);
    const ms = positions(here, there).map((position) => this.#fetchMs(job, agent, position));
    return {
      from,
      fetch: {
        checkpoints: there - here,
        bytes: sumBytes(job, here, there),
        bytesPerSecond: this.input.fetches?.get(agent.peer.store)?.bytesPerSecond ?? null,
        ms: sum(ms),
      },
      run: { steps: keptSteps(job, there) - keptSteps(job, here), ms: this.#runMs(job, agent, here, there) },
      chosen: { checkpoints: fetched, steps: again?.steps ?? 0, ms: fetchMs + (again?.ms ?? 0) },
    };
  }

  #runMs(job: WaitingJob, agent: CandidateAgent, here: number, there: number): number | null {
    const begin = here === 0 ? [this.#beginMs(job, agent)] : [];
    const ms = [
      ...begin,
      ...job.done.slice(keptSteps(job, here), keptSteps(job, there)).map((step) => step.ms),
    ];
    return ms.includes(null) ? null : sum(ms.map((each) => each ?? 0));
  }

  #workOut(job: WaitingJob, agent: CandidateAgent): CarryOver {
    const here = this.#held(job, agent.id);
    const from = this.#sourceFor(job, agent);
    const there = from === null ? 0 : this.#held(job, from.id);
    const fetchMs = (position: number): number => this.#fetchMs(job, agent, position);
    const again = this.#runAgain(job, agent, { here, there, fetchMs });
    const upTo = again?.from ?? there;
    const fetched = Math.max(0, upTo - here);
    const kept = keptSteps(job, Math.max(here, there));
    const keptHere = keptSteps(job, here);
    const keptThen = keptSteps(job, Math.max(here, upTo));
    const fetchedMs = sum(positions(here, upTo).map(fetchMs));
    const repeatMs = sumMs(job, kept, job.done.length);
    return {
      fetched,
      from: fetched > 0 ? from : null,
      fetchMs: fetchedMs,
      again,
      againBytes: again === null ? null : sumBytes(job, again.from, there),
      repeated: job.done.length - kept,
      repeatMs,
      savedSteps: keptThen - keptHere,
      savedMs: sumMs(job, keptHere, keptThen),
      costMs: fetchedMs + (again?.ms ?? 0) + repeatMs,
    };
  }

  /** Only where both are known from measuring: the first checkpoints of a store family are fetched, and measured. */
  #runAgain(
    job: WaitingJob,
    agent: CandidateAgent,
    way: { readonly here: number; readonly there: number; readonly fetchMs: (position: number) => number },
  ): RunAgain | null {
    if (job.isComplete || this.input.fetches?.has(agent.peer.store) !== true) return null;
    const stepMs = job.done.map(({ ms }) => ms);
    return runAgainFrom({ ...way, stepMs, beginMs: this.#beginMs(job, agent), ordered: job.ordered });
  }

  /** The first one is sent whole, with all that it goes on from, where the agent does not hold that. */
  #fetchMs(job: WaitingJob, agent: CandidateAgent, position: number): number {
    const ms = this.#comesIn(agent, job.boundaryBytes[position - 1] ?? null);
    return position === 1 ? Math.max(ms, this.#beginMs(job, agent) ?? 0) : ms;
  }

  /** What the job goes on from has to come first; `null`: it cannot. */
  #beginMs(job: WaitingJob, agent: CandidateAgent): number | null {
    const { base } = job.wants;
    if (base === null || this.#hasBase(job, agent)) return 0;
    return base.published ? this.#comesIn(agent, base.bytes ?? null) : null;
  }

  #hasBase({ wants: { base } }: WaitingJob, agent: CandidateAgent): boolean {
    return base !== null && this.input.holders.get(base.lineage)?.has(agent.id) === true;
  }

  #comesIn(agent: CandidateAgent, bytes: number | null): number {
    const usual = this.input.fetches?.get(agent.peer.store);
    if (usual === undefined) return DEFAULT_FETCH_MS;
    if (bytes === null || usual.bytesPerSecond === null) return usual.ms;
    return Math.round(usual.smallMs + (bytes * 1000) / usual.bytesPerSecond);
  }

  /**
   * What is said of it where finished steps run again: whose checkpoints would have saved them. `null` where nothing is lost.
   */
  lossOf(job: WaitingJob, agent: CandidateAgent): string | null {
    const { repeated } = this.of(job, agent);
    const first = job.done.length - repeated;
    if (repeated === 0) return null;
    const steps = listed(job.done.slice(first).map(({ name }) => name));
    const where = first === 0 ? 'it begins anew' : 'it goes on from an earlier one';
    return `${this.#whyOutOfReach(job, first)}: ${where}, and ${steps} ${repeated === 1 ? 'runs' : 'run'} again`;
  }

  #whyOutOfReach(job: WaitingJob, kept: number): string {
    const holders = [...(this.input.holders.get(job.wants.lineage) ?? [])]
      .filter(([, held]) => keptSteps(job, held) > kept)
      .flatMap(([id]) => this.#agents.get(id) ?? []);
    if (holders.length === 0) return 'no agent holds the newest checkpoint any more';
    const where = holders.map(({ name, peer }) => `${name}${peer.isGone ? ', which is gone' : ''}`);
    return `the newest checkpoint is out of reach, on agent ${listed(where.sort())}`;
  }

  #held(job: WaitingJob, agent: AgentId): number {
    return this.input.holders.get(job.wants.lineage)?.get(agent) ?? 0;
  }

  #sourceFor(job: WaitingJob, agent: CandidateAgent): CandidateAgent | null {
    const { lineage } = job.wants;
    const known = this.#sources.get(lineage) ?? this.#bestSources(job);
    this.#sources.set(lineage, known);
    return known.get(agent.peer.store)?.find(({ peer }) => canSendTo(peer, agent.peer)) ?? null;
  }

  #bestSources(job: WaitingJob): ReadonlyMap<Peer['store'], readonly CandidateAgent[]> {
    const best = new Map<Peer['store'], readonly CandidateAgent[]>();
    const furthest = [...(this.input.holders.get(job.wants.lineage) ?? [])].toSorted(
      ([a, heldByA], [b, heldByB]) => heldByB - heldByA || (a < b ? -1 : 1),
    );
    for (const [id] of furthest) {
      const agent = this.#agents.get(id);
      if (agent === undefined || agent.peer.isGone || !agent.peer.listens) continue;
      const family = best.get(agent.peer.store) ?? [];
      if (family.length < 2) best.set(agent.peer.store, [...family, agent]);
    }
    return best;
  }
}

/** The first checkpoint is in front of the first step, and keeps none. */
function keptSteps({ done }: WaitingJob, held: number): number {
  return Math.min(done.length, Math.max(0, held - 1));
}

function sumMs({ done }: WaitingJob, from: number, to: number): number {
  return sum(done.slice(from, to).map(({ ms }) => ms ?? 0));
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

function sumBytes({ boundaryBytes }: WaitingJob, from: number, to: number): number | null {
  const bytes = positions(from, to).map((position) => boundaryBytes[position - 1] ?? null);
  return bytes.includes(null) ? null : sum(bytes.map((each) => each ?? 0));
}

/** Those behind `from` up to `to`. */
function positions(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + 1 + index);
}

/** `fetches 3 checkpoints from tank (about 15 s), cheaper than running 2 steps again (about 4 min)`; empty where the agent has all of it. */
export function describeCarryOver(over: CarryOver): string {
  const fetch =
    over.from === null
      ? []
      : [
          `fetches ${counted(over.fetched, 'checkpoint')} from ${over.from.name} (${roughDuration(over.fetchMs)})`,
          ...(over.savedSteps === 0
            ? []
            : [
                `instead of running ${counted(over.savedSteps, 'step')} again (${roughDuration(over.savedMs)})`,
              ]),
        ];
  const { again } = over;
  const rather =
    again === null
      ? []
      : [
          `runs ${counted(again.steps, 'step')} again (${roughDuration(again.ms)}) rather than fetching ${over.againBytes === null ? counted(again.checkpoints, 'checkpoint') : humanSize(over.againBytes)} (${roughDuration(again.fetchMs)})`,
        ];
  const repeat =
    over.repeated === 0
      ? []
      : [`runs ${counted(over.repeated, 'step')} again (${roughDuration(over.repeatMs)})`];
  return [fetch.join(' '), ...rather, ...repeat].filter((part) => part !== '').join(', and ');
}

/**
 * `fetches 3 checkpoints of build b-1 from tank (120 MB at 10 MB/s, about 12 s) rather than running 2 steps (about 4 min)`, or the other way round.
 *
 * @param build whose the checkpoints are; `null`: the job's own
 */
export function describeWeighing({ from, fetch, run, chosen }: Weighing, build: string | null): string {
  const rate = fetch.bytesPerSecond === null ? '' : ` at ${humanSize(fetch.bytesPerSecond)}/s`;
  const size = fetch.bytes === null ? '' : `${humanSize(fetch.bytes)}${rate}, `;
  const whose = build === null ? '' : ` of build ${build}`;
  const fetching = `${counted(fetch.checkpoints, 'checkpoint')}${whose} from ${from.name} (${size}${roughDuration(fetch.ms)})`;
  const running = `${counted(run.steps, 'step')} (${run.ms === null ? 'nobody knows how long' : roughDuration(run.ms)})`;
  if (chosen.steps === 0) return `fetches ${fetching} rather than running ${running}`;
  if (chosen.checkpoints === 0) return `runs ${running} rather than fetching ${fetching}`;
  return `fetches ${chosen.checkpoints} of ${fetching} and runs ${counted(chosen.steps, 'step')} (${roughDuration(chosen.ms)} together), rather than running ${running}`;
}
