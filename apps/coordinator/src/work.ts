import { Injectable } from '@nestjs/common';
import type { Transaction } from 'kysely';
import type { AgentId, EventType } from '#libs/contracts';
import { Wakes } from '#libs/queue';
import { appendEvents, transact, type NewEvent, type Schema } from '#libs/store';
import { Clock, Store } from './store.js';

/** What a transaction wants done once it is committed. */
export class Changes {
  readonly events: NewEvent[] = [];
  readonly wakeAgents = new Set<AgentId>();
  /** There is a checkpoint that other agents are to copy, or may be. */
  wantsReplicas = false;
  /** Fingerprints are to be asked for, or one was answered. */
  wantsFingerprints = false;
  /** An agent has come to be short of space, or has dropped something and still is. */
  wantsRoom = false;
  /** A copy came that they are in want of. */
  readonly tellCopied = new Set<AgentId>();

  event(
    type: NewEvent['type'],
    about: Omit<NewEvent, 'type' | 'data'>,
    data: Readonly<Record<string, unknown>> = {},
  ): void {
    this.events.push({ ...about, type, data });
  }
}

/** Channels of wake-ups between coordinators; hints only: everybody who listens also looks by himself from time to time. */
export const EVENTS_CHANNEL = 'events';
export const SCHEDULING_CHANNEL = 'schedule';
export const REPLICAS_CHANNEL = 'replicas';
export const FINGERPRINTS_CHANNEL = 'fingerprints';
/** Where copies of checkpoints are wanted, or can be kept, may have changed. */
export const PLACES_CHANNEL = 'places';
/** An agent may be short of space. */
export const ROOM_CHANNEL = 'room';
export function agentChannel(agent: AgentId): string {
  return `agent:${agent}`;
}
/** To an agent's channel: there are replicas for it to fetch. Any other text: there is news in the answer to a heartbeat. */
export const REPLICATE = 'replicate';
/** The same: there are fingerprints for it to ask for. */
export const FINGERPRINTS = 'fingerprints';
/** The same: a copy came that an attempt there is in want of. */
export const COPIED = 'copied';
/** The same: there is a checkpoint for it to list. */
export const LISTINGS = 'listings';

/** Events after which a job may be placed that could not be before. */
const MAY_PLACE: ReadonlySet<EventType> = new Set<EventType>([
  'job-waiting',
  'job-retried',
  'job-ended',
  'build-resumed',
  'agent-connected',
  'agent-undrained',
  'agent-unpaused',
]);

/** Events after which a copy may be wanted that was not, or may be taken by who could not. */
const MAY_COPY: ReadonlySet<EventType> = new Set<EventType>([
  'job-assigned',
  'job-retried',
  'job-handed-over',
  'agent-connected',
  'agent-lost',
  'agent-drained',
  'agent-undrained',
  'agent-paused',
  'agent-unpaused',
  'agent-quarantined',
  'agent-revoked',
]);

/** Every change of the farm's state is one transaction, with its events, and is told to whoever waits for it when it is committed. */
@Injectable()
export class Work {
  readonly #toWake = new Set<string>();

  constructor(
    private readonly store: Store,
    private readonly wakes: Wakes,
    private readonly clock: Clock,
  ) {}

  async change<T>(
    change: (tx: Transaction<Schema>, changes: Changes, now: number) => Promise<T>,
  ): Promise<T> {
    const { result, changes } = await transact(this.store.db, async (tx) => {
      const changes = new Changes();
      const now = this.clock.now();
      const result = await change(tx, changes, now);
      if (changes.events.length > 0) await appendEvents(tx, now, changes.events);
      return { result, changes };
    });
    if (changes.events.length > 0) this.#wakeSoon(EVENTS_CHANNEL);
    if (changes.events.some(({ type }) => MAY_PLACE.has(type))) this.#wakeSoon(SCHEDULING_CHANNEL);
    if (changes.events.some(({ type }) => MAY_COPY.has(type))) this.#wakeSoon(PLACES_CHANNEL);
    if (changes.wantsReplicas) this.#wakeSoon(REPLICAS_CHANNEL);
    if (changes.wantsFingerprints) this.#wakeSoon(FINGERPRINTS_CHANNEL);
    if (changes.wantsRoom) this.#wakeSoon(ROOM_CHANNEL);
    for (const agent of changes.tellCopied) void this.wakes.publish(agentChannel(agent), COPIED);
    for (const agent of changes.wakeAgents) void this.wakes.publish(agentChannel(agent), '');
    return result;
  }

  /** Checkpoints should be looked at: something waits for room. */
  wantRoom(): void {
    this.#wakeSoon(ROOM_CHANNEL);
  }

  /** Those that end together wake once: see CommitGroup. */
  #wakeSoon(channel: string): void {
    if (this.#toWake.has(channel)) return;
    this.#toWake.add(channel);
    setImmediate(() => {
      this.#toWake.delete(channel);
      void this.wakes.publish(channel, '');
    });
  }
}
