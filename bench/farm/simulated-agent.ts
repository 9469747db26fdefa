import type { AgentFacts, Assignment, Report, ReportEvent } from '#libs/contracts';
import { HttpClient } from '#libs/http-client';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { AttemptControl } from '../../apps/agent/src/attempts/attempt.js';
import { claimLoop } from '../../apps/agent/src/leases/claim-loop.js';
import { CoordinatorLink } from '../../apps/agent/src/link/coordinator-link.js';
import { LeaseKeeper } from '../../apps/agent/src/leases/lease-keeper.js';
import { persistently } from '../../apps/agent/src/link/persistently.js';

const GB = 1e9;
const FREE_BYTES = 200 * GB;
/** What a snapshot takes, about. */
const CHECKPOINT_MS = 5;
export const ANNOUNCED: AgentFacts = {
  version: 'simulated',
  hostname: 'simulated',
  architectures: ['amd64', 'i386'],
  labels: ['rack1'],
  slots: 1,
  // As many as a real one declares: the coordinator reads and keeps them.
  tools: Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`tool${n}`, `tool${n} version 1.${n}.0`])),
  store: { kind: 'zfs', description: 'zfs dataset tank/farm, OpenZFS 2.2', abilities: ['send', 'receive'] },
  freeBytes: FREE_BYTES,
  usedBytes: GB,
};

export interface SimulatedWork {
  readonly slots: number;
  readonly steps: number;
  /** A step sleeps between half and one and a half times as long. */
  readonly stepMs: number;
}

/** How reports went, in milliseconds from POST to its answer, and how many of them there were in each. */
export interface Answered {
  readonly ms: number;
  readonly events: number;
}

export interface SimulatedAgentOptions {
  readonly url: string;
  readonly work: SimulatedWork;
  readonly log: Logger;
  readonly onAnswer: (answered: Answered) => void;
}

/**
 * The real agent's calls, claims, leases and wake stream; its steps sleep. Reports go out as the real agent sends them, all that wait in one call and one call
 * at a time, but from memory: a thousand spools on one disk would measure the disk.
 */
export class SimulatedAgent {
  readonly #instance = randomBytes(16).toString('hex');
  readonly #running = new Set<Promise<void>>();

  private constructor(
    private readonly link: CoordinatorLink,
    private readonly options: SimulatedAgentOptions,
  ) {}

  static async enrol(token: string, name: string, options: SimulatedAgentOptions): Promise<SimulatedAgent> {
    const client = (secret: string | null) =>
      new CoordinatorLink(new HttpClient({ url: options.url, secret, ca: null, timeoutMs: 120_000 }));
    const facts = { ...ANNOUNCED, slots: options.work.slots };
    const { key } = await client(null).enrol({ token, name, facts });
    return new SimulatedAgent(client(key), options);
  }

  /** Runs until aborted. Calls back when the coordinator has answered its hello. */
  async run(signal: AbortSignal, connected: () => void): Promise<void> {
    const { log, work } = this.options;
    const facts = { ...ANNOUNCED, slots: work.slots };
    const hello = { instance: this.#instance, facts, peer: null, spooled: [], holdings: [], areas: [] };
    const { settings } = await persistently(() => this.link.hello(hello, signal), signal);
    connected();
    const onRefused = (error: Error): void => log.error({ err: error }, 'refused');
    const leases = new LeaseKeeper(
      {
        link: this.link,
        instance: this.#instance,
        space: async () => await Promise.resolve({ freeBytes: FREE_BYTES, usedBytes: GB }),
        sizes: { untold: () => [], told: () => undefined },
        onReplicate: () => undefined,
        onCopied: () => undefined,
        onFingerprints: () => undefined,
        onListings: () => undefined,
        onDrop: () => undefined,
        onRefused,
        log,
      },
      settings,
    );
    const claims = claimLoop(
      {
        link: this.link,
        instance: this.#instance,
        settings: () => leases.settings,
        slots: work.slots,
        running: () => [...this.#running],
        start: (assignment) => this.#start(assignment, leases, signal),
        onRefused,
        log,
      },
      signal,
    );
    await Promise.allSettled([leases.run(signal), leases.listen(signal), claims]);
  }

  #start(assignment: Assignment, leases: LeaseKeeper, signal: AbortSignal): void {
    const { attempt, epoch, token, pauseBefore } = assignment;
    const control = new AttemptControl({ attempt, epoch, token }, pauseBefore);
    leases.hold(control, performance.now());
    const job = this.#work(assignment, control, AbortSignal.any([signal, control.signal]))
      .catch((error: unknown) => {
        if (!signal.aborted) this.options.log.error({ err: error, attempt }, 'an attempt broke off');
      })
      .finally(() => {
        leases.release(control);
        this.#running.delete(job);
      });
    this.#running.add(job);
  }

  async #work({ lineage }: Assignment, control: AttemptControl, signal: AbortSignal): Promise<void> {
    const { steps, stepMs } = this.options.work;
    const reports = new Reports(this.link, control, signal, this.options.onAnswer);
    reports.add({ type: 'phase', phase: 'fetching' });
    reports.add({ type: 'phase', phase: 'running' });
    for (let step = 0; step < steps; step += 1) {
      reports.add({ type: 'step-started', step });
      // The first one is anywhere in its time, so that not all agents report in step.
      await sleep(stepMs * (step === 0 ? Math.random() : 0.5 + Math.random()), undefined, { signal });
      reports.add({ type: 'step-ended', step, outcome: { kind: 'succeeded' } });
      await sleep(CHECKPOINT_MS, undefined, { signal });
      reports.add({
        type: 'checkpoint-taken',
        before: step + 1 < steps ? step + 1 : null,
        holding: holding(lineage, step),
      });
    }
    reports.add({ type: 'phase', phase: 'publishing' });
    reports.add({ type: 'ended', end: { kind: 'succeeded' }, logBytes: 0 });
    await reports.sent;
  }
}

function holding(lineage: string, step: number) {
  const id = randomBytes(8).toString('hex');
  return {
    id,
    lineage,
    workspace: 'build_data',
    label: `step${step + 1}`,
    previous: '',
    takenAt: Date.now(),
  };
}

/** What an attempt has to tell: sent in order, in the background. */
class Reports {
  #waiting: Report[] = [];
  #seq = 0;
  #isSending = false;
  /** Of all that was added by now. */
  sent: Promise<void> = Promise.resolve();

  constructor(
    private readonly link: CoordinatorLink,
    private readonly control: AttemptControl,
    private readonly signal: AbortSignal,
    private readonly onAnswer: (answered: Answered) => void,
  ) {}

  add(event: ReportEvent): void {
    this.#waiting.push({ seq: (this.#seq += 1), at: Date.now(), event });
    if (this.#isSending) return;
    this.#isSending = true;
    this.sent = this.#send().finally(() => (this.#isSending = false));
    // Whoever waits for it is told; nobody has to.
    this.sent.catch(() => undefined);
  }

  async #send(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const from = performance.now();
      await persistently(() => this.link.reports(this.control.key, batch, this.signal), this.signal);
      this.onAnswer({ ms: performance.now() - from, events: batch.length });
    }
  }
}
