import type { AreaName, Assignment, AttemptEnd, HelloResponse, ReportEvent } from '#libs/contracts';
import type { ApiError } from '#libs/http-client';
import type { Areas } from '#libs/snapshots';
import { removeDeadManifestSockets } from '#libs/steps';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { AreaDesk } from './areas/area-desk.js';
import type { AreaSizes } from './areas/area-sizes.js';
import { AttemptControl, type StopKind } from './attempts/attempt.js';
import { AttemptLog } from './attempts/attempt-log.js';
import type { BlobCache } from './blobs/blob-cache.js';
import type { Bundles } from './attempts/bundles.js';
import { claimLoop } from './leases/claim-loop.js';
import type { CoordinatorLink } from './link/coordinator-link.js';
import { Delivery, type DeliveryEnd } from './reports/delivery.js';
import type { FixedFacts } from './host/host-facts.js';
import type { LateCopies } from './replicas/late-copies.js';
import { FingerprintKeeper } from './fingerprints/fingerprint-keeper.js';
import { ListingKeeper } from './listings/listing-keeper.js';
import { LeaseKeeper } from './leases/lease-keeper.js';
import type { Peers } from './transfers/peers.js';
import { persistently } from './link/persistently.js';
import { ReplicaKeeper } from './replicas/replica-keeper.js';
import { reconcile } from './areas/reconcile.js';
import { runAssignment, type Workshop } from './attempts/run-assignment.js';
import { AttemptSpool } from './reports/spool.js';

export interface AgentParts {
  readonly link: CoordinatorLink;
  readonly areas: Areas;
  readonly desk: AreaDesk;
  readonly sizes: AreaSizes;
  readonly lateCopies: LateCopies;
  readonly blobs: BlobCache;
  readonly bundles: Bundles;
  readonly peers: Peers;
  readonly stateFolder: string;
  readonly cacheFolder: string;
  readonly binFolder: string;
  readonly slots: number;
  readonly leaveMs: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly facts: () => Promise<FixedFacts>;
  readonly log: Logger;
}

/** How long what was not delivered may hold up the end of the process; it is in the spool for the next one. */
const LAST_DELIVERY_MS = 5_000;

/** Why the agent's process ends although nobody asked it to. */
export class AgentRefused extends Error {
  override readonly name = 'AgentRefused';
}

/**
 * One agent: says hello with what it found, then claims and runs attempts, each with its spool, until it is told to leave.
 *
 *     reconcile ─► hello ─► deliver what an earlier process left
 *                    └────► heartbeats, wake hints, claims ─► attempts ─► leave
 */
export class Agent {
  readonly #instance = randomBytes(16).toString('hex');
  /** Attempts whose job runs: they take slots. */
  readonly #running = new Map<AttemptControl, Promise<void>>();
  /** Everything that is not delivered yet, running or not. */
  readonly #delivering = new Set<Promise<void>>();
  readonly #leaving = new AbortController();
  readonly #end = new AbortController();
  readonly #replicas: ReplicaKeeper;
  readonly #fingerprints: FingerprintKeeper;
  readonly #listings: ListingKeeper;
  #refusal: ApiError | null = null;

  constructor(private readonly parts: AgentParts) {
    this.#replicas = new ReplicaKeeper(parts);
    this.#fingerprints = new FingerprintKeeper(parts);
    this.#listings = new ListingKeeper(parts);
  }

  /** Resolves when the agent has left. Throws AgentRefused when the coordinator does not want it. */
  async run(): Promise<void> {
    const { log } = this.parts;
    await this.parts.blobs.prepare();
    await this.parts.bundles.clear();
    await removeDeadManifestSockets();
    const left = await AttemptSpool.leftovers(join(this.parts.stateFolder, 'spool'), (folder, error) => {
      log.error({ err: error, folder }, 'spool cannot be read');
    });
    for (const spool of left) await endInPlaceOfTheKilled(spool);
    const hello = await this.#hello(left);
    log.info(
      { agent: hello.agent, name: hello.name, farm: hello.farm, undelivered: left.length },
      'connected',
    );
    const keeper = this.#leaseKeeper(hello);
    this.#drop(keeper, hello.drop);
    for (const spool of left) this.#deliver(keeper, new Delivery(spool, this.#deliveryOptions(keeper), true));
    const whileStaying = AbortSignal.any([this.#end.signal, this.#leaving.signal]);
    const loops = [
      keeper.run(this.#end.signal),
      keeper.listen(this.#end.signal),
      this.#replicas.run(whileStaying),
      this.#fingerprints.run(whileStaying),
      this.#listings.run(whileStaying),
    ];
    await this.#claimUntilLeft(keeper);
    await Promise.race([Promise.allSettled([...this.#delivering]), delayed(LAST_DELIVERY_MS)]);
    this.#end.abort(new Error('the agent ends'));
    await Promise.allSettled([...loops, ...this.#delivering]);
    await this.parts.peers.stop();
    if (this.#refusal !== null) throw new AgentRefused(refusalText(this.#refusal), { cause: this.#refusal });
  }

  /** Takes nothing new, and ends when what runs has ended. */
  leave(): void {
    this.#leaving.abort();
  }

  /** Ends what runs now; its checkpoints stay. */
  stopNow(kind: StopKind = 'shutdown'): void {
    this.#leaving.abort();
    for (const control of this.#running.keys()) control.stop(kind);
    // Without a connection yet there is nothing to wait for.
    if (this.#running.size === 0) this.#end.abort(new Error('the agent ends'));
  }

  async #hello(left: readonly AttemptSpool[]): Promise<HelloResponse> {
    const { areas, link, log } = this.parts;
    const [found, facts] = await Promise.all([reconcile(areas, log), this.parts.facts()]);
    for (const area of found.areas) this.parts.sizes.changed(area);
    const spooled = left.map(({ key: { attempt, epoch } }) => ({ attempt, epoch }));
    return await persistently(
      async () => {
        const { freeBytes, usedBytes } = await areas.space();
        const room = { freeBytes: Math.floor(freeBytes), usedBytes: Math.floor(usedBytes) };
        const peer = await this.parts.peers.start(this.#end.signal);
        const body = { instance: this.#instance, facts: { ...facts, ...room }, peer, spooled, ...found };
        return await link.hello(body, this.#end.signal);
      },
      AbortSignal.any([this.#end.signal, this.#leaving.signal]),
      (error) => log.warn({ err: error }, 'the coordinator does not answer; trying on'),
    );
  }

  #leaseKeeper(hello: HelloResponse): LeaseKeeper {
    const { link, areas, log } = this.parts;
    const keeper: LeaseKeeper = new LeaseKeeper(
      {
        link,
        log,
        instance: this.#instance,
        space: () => areas.space(),
        sizes: this.parts.sizes,
        onDrop: (names) => this.#drop(keeper, names),
        onReplicate: () => this.#replicas.wake(),
        onCopied: () => this.parts.lateCopies.wake(),
        onFingerprints: () => this.#fingerprints.wake(),
        onListings: () => this.#listings.wake(),
        onRefused: (error) => {
          this.#refusal ??= error;
          this.stopNow('stale');
        },
      },
      hello.settings,
    );
    this.#leaving.signal.addEventListener('abort', () => {
      keeper.leaving = true;
      keeper.beatNow();
    });
    return keeper;
  }

  #drop(keeper: LeaseKeeper, names: readonly AreaName[]): void {
    for (const name of names) void this.#dropArea(keeper, name);
  }

  /** Resolves when it is gone, or stays for now. */
  async #dropArea(keeper: LeaseKeeper, name: AreaName): Promise<void> {
    await this.parts.desk.drop(name, () => {
      this.parts.sizes.gone(name);
      keeper.reportDropped(name);
    });
  }

  async #claimUntilLeft(keeper: LeaseKeeper): Promise<void> {
    const { link, log, slots, leaveMs } = this.parts;
    await claimLoop(
      {
        link,
        log,
        instance: this.#instance,
        settings: () => keeper.settings,
        slots,
        running: () => [...this.#running.values()],
        start: (assignment, grantedAtMs) => this.#start(keeper, assignment, grantedAtMs),
        onRefused: (error) => {
          this.#refusal ??= error;
          this.stopNow('stale');
        },
      },
      this.#leaving.signal,
    );
    const ended = Promise.allSettled([...this.#running.values()]);
    if ((await Promise.race([ended, delayed(leaveMs).then(() => 'late' as const)])) === 'late')
      this.stopNow();
    await ended;
  }

  #start(keeper: LeaseKeeper, assignment: Assignment, grantedAtMs: number): void {
    const control = new AttemptControl(assignment, assignment.pauseBefore);
    keeper.hold(control, grantedAtMs);
    const job = this.#work(keeper, control, assignment).catch((error: unknown) => {
      this.parts.log.error(
        { err: error, attempt: assignment.attempt },
        'attempt lost by a fault of the agent',
      );
      keeper.release(control);
    });
    this.#running.set(control, job);
    void job.finally(() => this.#running.delete(control));
  }

  async #work(keeper: LeaseKeeper, control: AttemptControl, assignment: Assignment): Promise<void> {
    const { log, stateFolder } = this.parts;
    const { attempt, build, job, variant } = assignment;
    const spool = await AttemptSpool.create(join(stateFolder, 'spool'), control.key);
    const delivery = new Delivery(spool, this.#deliveryOptions(keeper));
    this.#deliver(keeper, delivery, control);
    const attemptLog = new AttemptLog(spool.logPath, keeper.settings.maxLogBytes, () => delivery.nudgeLog());
    const report = (event: ReportEvent): void => {
      if (isAnothers(control)) return;
      if (!spool.add(event, Date.now())) log.error({ attempt }, 'no room to spool reports');
      delivery.nudge();
    };
    log.info({ attempt, build, job, variant }, 'attempt started');
    const end = this.#leaving.signal.aborted
      ? refused()
      : await runAssignment({ assignment, control, log: attemptLog, report }, this.#workshop(keeper));
    log.info(
      { attempt, end: end?.kind ?? 'another’s', fault: end?.kind === 'infrastructure' ? end : undefined },
      'attempt ended',
    );
    attemptLog.note('-', `Attempt ${attempt} ended: ${JSON.stringify(end)}`);
    attemptLog.close();
    if (end !== null) report({ type: 'ended', end, logBytes: attemptLog.bytes });
    delivery.complete();
  }

  /** Delivers in the background until the coordinator has everything; only then the lease may go. */
  #deliver(keeper: LeaseKeeper, delivery: Delivery, control: AttemptControl | null = null): void {
    const { spool } = delivery;
    const refused = (error: ApiError): void => {
      this.parts.log.warn(
        { attempt: spool.key.attempt, err: error },
        'the coordinator wants nothing more of the attempt but its log',
      );
      control?.stop('stale');
    };
    const delivered = delivery.run(this.#end.signal, refused).then(
      async (end) => this.#settle(keeper, spool, end, control),
      (error: unknown) => {
        this.parts.log.error({ err: error, attempt: spool.key.attempt }, 'delivery broke off');
        if (control !== null) keeper.release(control);
      },
    );
    this.#delivering.add(delivered);
    void delivered.finally(() => this.#delivering.delete(delivered));
  }

  async #settle(
    keeper: LeaseKeeper,
    spool: AttemptSpool,
    end: DeliveryEnd,
    control: AttemptControl | null,
  ): Promise<void> {
    // Its job writes to the spool until it has noticed.
    if (end.kind === 'refused' && control !== null) await this.#running.get(control);
    if (control !== null) keeper.release(control);
    if (end.kind !== 'aborted') await spool.remove();
  }

  #deliveryOptions(keeper: LeaseKeeper): ConstructorParameters<typeof Delivery>[1] {
    return { link: this.parts.link, log: this.parts.log, settings: () => keeper.settings };
  }

  #workshop(keeper: LeaseKeeper): Workshop {
    return {
      ...this.parts,
      settings: () => keeper.settings,
      drop: async (area) => await this.#dropArea(keeper, area),
    };
  }
}

/** A process that was killed could not say how its attempt ended; until somebody does, the coordinator waits for the lease to run out. */
async function endInPlaceOfTheKilled(spool: AttemptSpool): Promise<void> {
  if (spool.isEnded) return;
  const reason = "the agent's process was killed, and is back";
  const end = { kind: 'infrastructure', fault: 'lost', at: null, reason } as const;
  spool.add({ type: 'ended', end, logBytes: await spool.logBytes() }, Date.now());
}

function isAnothers({ stopped }: AttemptControl): boolean {
  return stopped?.kind === 'lease-lost' || stopped?.kind === 'stale';
}

function refused(): AttemptEnd {
  return { kind: 'infrastructure', fault: 'refused', at: null, reason: 'the agent is leaving' };
}

function refusalText({ code, message, hint }: ApiError): string {
  const why =
    code === 'CONFLICT'
      ? 'another process runs with the key of this agent'
      : 'the coordinator refuses this agent';
  return `${why}: ${message}${hint === null ? '' : ` ${hint}`}`;
}

async function delayed(ms: number): Promise<void> {
  await new Promise<void>((resolve) => setTimeout(resolve, ms).unref());
}
