import { Injectable } from '@nestjs/common';
import {
  FarmError,
  SECRET_PREFIX,
  type AgentId,
  type AskTransfer,
  type RedeemedTicket,
  type TransferTicket,
} from '#libs/contracts';
import {
  checkpointHolders,
  equalsStateOf,
  findAgent,
  findJob,
  hashSecret,
  insertTicket,
  newSecret,
  openAttempts,
  removeCheckpoint,
  useTicket,
  variantName,
  type AgentRow,
  type CheckpointInArea,
} from '#libs/store';
import { canSendTo, peerOf } from '../decide/can-send-to.js';
import { Replication } from '../scheduling/replication.js';
import { Clock, Store } from '../store.js';
import { splitArea } from './split-area.js';

/** Long enough for a handshake; the stream itself may take hours. */
const TICKET_MS = 60_000;

type Place = Omit<CheckpointInArea, 'id'>;

/** Decides who may fetch a checkpoint from whom. */
@Injectable()
export class Transfers {
  constructor(
    private readonly store: Store,
    private readonly replication: Replication,
    private readonly clock: Clock,
  ) {}

  /** Throws FORBIDDEN unless the agent works in the area, runs a job that the checkpoint equals a state of, or is to keep a copy of it; NOT_FOUND when nobody has the checkpoint who could send it. */
  async ask(
    agent: AgentRow,
    { area, checkpoint, base, without, gone }: AskTransfer,
  ): Promise<TransferTicket> {
    const work = await this.#placeOfWork(agent, area);
    const replica = work === null ? await this.replication.wanted(agent.id, area, checkpoint.id) : null;
    const mayReuse = work === null && replica === null && (await this.#mayReuse(agent, area, checkpoint.id));
    const place = work ?? (replica !== null || mayReuse ? splitArea(area) : null);
    if (place === null)
      throw new FarmError(
        'FORBIDDEN',
        `no attempt of agent ${agent.name} works in ${area}, and none is to go on from ${checkpoint.label} there, nor is a copy of it wanted`,
      );
    // Asked and not found there: what was said of it is not true any more.
    const wanted = { ...place, id: checkpoint.id };
    for (const id of gone) await removeCheckpoint(this.store.db, id, wanted);
    const source = await this.#sourceOf(agent, wanted, base === null ? null : base.id, without);
    if (source?.peer == null)
      throw new FarmError(
        'NOT_FOUND',
        `nobody who could send it has the checkpoint ${checkpoint.label} (${checkpoint.id})`,
      );
    const ticket = newSecret(SECRET_PREFIX.transfer);
    const now = this.clock.now();
    await insertTicket(
      this.store.db,
      {
        hash: hashSecret(ticket),
        source: source.id,
        transfer: {
          ...{ receiver: agent.id, area, checkpoint, base },
          ...(replica?.isUrgent === false ? { background: true as const } : {}),
        },
        expiresAt: now + TICKET_MS,
      },
      now,
    );
    const { id, name, peer } = source;
    return { ticket, source: { agent: id, name, address: peer }, maxBytes: agent.facts.freeBytes };
  }

  /** Once; throws FORBIDDEN then, and when it is over or another agent is to send. */
  async redeem(source: AgentRow, ticket: string): Promise<RedeemedTicket> {
    const transfer = await useTicket(this.store.db, hashSecret(ticket), source.id, this.clock.now());
    if (transfer !== null) return transfer;
    throw new FarmError('FORBIDDEN', 'the ticket is used, expired, or for another agent');
  }

  /** One that has the base, where any has: the others would send all of it. */
  async #sourceOf(
    receiver: AgentRow,
    wanted: CheckpointInArea,
    base: string | null,
    without: readonly AgentId[],
  ): Promise<AgentRow | undefined> {
    const { db } = this.store;
    const holders = await checkpointHolders(db, wanted);
    const withBase = new Set(base === null ? [] : await checkpointHolders(db, { ...wanted, id: base }));
    const asked = holders.filter((id) => !without.includes(id));
    const agents = await Promise.all(asked.map((id) => findAgent(db, id)));
    return agents
      .filter((agent) => agent !== null)
      .filter((agent) => canSendTo(peerOf(agent), peerOf(receiver)))
      .toSorted((a, b) => (a.load?.cpu ?? 0) - (b.load?.cpu ?? 0))
      .toSorted((a, b) => Number(withBase.has(b.id)) - Number(withBase.has(a.id)))[0];
  }

  /** Whether the checkpoint equals a state on the way of a job that the agent runs. */
  async #mayReuse(agent: AgentRow, area: string, checkpoint: string): Promise<boolean> {
    const { db } = this.store;
    const attempts = await openAttempts(db, agent.id);
    const jobs = attempts.flatMap(({ state, job_id }) => (state === 'running' ? [job_id] : []));
    return await equalsStateOf(db, jobs, { ...splitArea(area), id: checkpoint });
  }

  /** What the area is of, when a running attempt of the agent works in it: an agent learns and changes nothing of other builds. */
  async #placeOfWork(agent: AgentRow, area: string): Promise<Place | null> {
    const { db } = this.store;
    for (const { build_id, job_id, state } of await openAttempts(db, agent.id)) {
      if (state !== 'running') continue;
      const job = await findJob(db, job_id);
      const variant = job === null ? null : await variantName(db, job.variant_id);
      if (variant !== null && `${build_id}.${variant}` === area) return { build: build_id, variant };
    }
    return null;
  }
}
