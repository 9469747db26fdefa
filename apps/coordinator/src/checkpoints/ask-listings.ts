import { Injectable } from '@nestjs/common';
import { BlobStore } from '#libs/artifacts';
import {
  FarmError,
  MAX_LISTING_BYTES,
  newId,
  type AgentId,
  type ListingAsk,
  type ListingFailure,
  type ListingId,
} from '#libs/contracts';
import { ListingError, readListing } from '#libs/listing';
import { Wakes } from '#libs/queue';
import {
  answerListing,
  countOpenListings,
  findListing,
  insertBlob,
  listAgents,
  openListingsFor,
  releaseListings,
  removeCheckpoint,
  takeListing,
  wantListing,
  type AgentRow,
  type ListedCheckpoint,
  type ListingRow,
} from '#libs/store';
import type { Readable } from 'node:stream';
import { mayList } from '../decide/listing-standing.js';
import { limitBytes } from '../gateway/limit-bytes.js';
import { Clock, Store } from '../store.js';
import { agentChannel, LISTINGS } from '../work.js';
import { gunzipped } from './gunzipped.js';

/** One that failed is asked for again when somebody wants it after so long: not with each look at the page. */
const FAILED_FOR_MS = 20_000;
/** Nobody looks at more differences than that at a time. */
const MOST_OPEN = 200;

/** Asks agents what is in checkpoints: see libs/contracts listing-asks.ts. Each ask is a row, and its answer stays while somebody wants it. */
@Injectable()
export class AskListings {
  constructor(
    private readonly store: Store,
    private readonly blobs: BlobStore,
    private readonly wakes: Wakes,
    private readonly clock: Clock,
  ) {}

  /** The checkpoint's listing, asked for unless it is. The agents are told each time, since a hint may be lost. Throws TOO_MANY. */
  async want(checkpoint: ListedCheckpoint, holders: readonly AgentId[]): Promise<ListingRow> {
    const { db } = this.store;
    const now = this.clock.now();
    const row = await wantListing(db, newId('l'), checkpoint, now, now - FAILED_FOR_MS);
    if (row.answered_at !== null) return row;
    if (row.asked_at === now && (await countOpenListings(db)) > MOST_OPEN)
      throw new FarmError(
        'TOO_MANY',
        `${MOST_OPEN} checkpoints are to be listed already`,
        'Try again later.',
      );
    for (const holder of holders) void this.wakes.publish(agentChannel(holder), LISTINGS);
    return row;
  }

  /** What the agent is to list now; from here on it is that agent's. */
  async take(agent: AgentRow): Promise<ListingAsk | null> {
    const { db } = this.store;
    const open = await openListingsFor(db, agent.id);
    if (open.length === 0) return null;
    const now = this.clock.now();
    const agents = await listAgents(db);
    for (const row of open) {
      if (!mayList(row, agents, now) || !(await takeListing(db, row, agent.id, now))) continue;
      return {
        ask: row.id,
        area: `${row.build_id}.${row.variant}`,
        checkpoint: { id: row.checkpoint_id, workspace: row.workspace, label: row.label },
      };
    }
    return null;
  }

  /** Takes a listing in, and believes nothing of it. A repeated one changes nothing. Throws CONFLICT when the ask is not the agent's, and INVALID. */
  async answer(
    agent: AgentRow,
    id: ListingId,
    announced: { readonly sha256: string; readonly bytes: number },
    content: Readable,
  ): Promise<void> {
    if (announced.bytes > MAX_LISTING_BYTES)
      throw new FarmError('TOO_LARGE', `a listing has at most ${MAX_LISTING_BYTES} bytes`);
    if (await this.#isRepeated(agent, id, announced.sha256)) return;
    await this.#keep(announced, content);
    let found: { readonly entries: number; readonly bytes: number };
    try {
      found = await this.#count(announced.sha256);
    } catch (error) {
      if (!(error instanceof ListingError)) throw error;
      await this.fail(agent, id, { kind: 'unable', reason: `what it sent is no listing: ${error.message}` });
      throw new FarmError('INVALID', `the listing of agent ${agent.name}: ${error.message}`);
    }
    const now = this.clock.now();
    await insertBlob(this.store.db, announced, now);
    if (await answerListing(this.store.db, id, agent.id, { sha256: announced.sha256, ...found }, now)) return;
    await this.#isRepeated(agent, id, announced.sha256);
  }

  /** A repeated one changes nothing. Throws CONFLICT when the ask is not the agent's. */
  async fail(agent: AgentRow, id: ListingId, { kind, reason }: ListingFailure): Promise<void> {
    const { db } = this.store;
    const row = await this.#own(agent, id);
    if (row.answered_at !== null) return;
    if (kind === 'gone') {
      const { build_id: build, variant, checkpoint_id: checkpoint } = row;
      await removeCheckpoint(db, agent.id, { build, variant, id: checkpoint });
      await releaseListings(db, agent.id, id);
      return;
    }
    await answerListing(
      db,
      id,
      agent.id,
      { failure: `agent ${agent.name} could not list it: ${reason}` },
      this.clock.now(),
    );
  }

  async #isRepeated(agent: AgentRow, id: ListingId, sha256: string): Promise<boolean> {
    const row = await this.#own(agent, id);
    if (row.answered_at === null) return false;
    if (row.sha256 === sha256) return true;
    throw new FarmError('CONFLICT', `the ask ${id} is answered`);
  }

  async #own(agent: AgentRow, id: ListingId): Promise<ListingRow> {
    const row = await findListing(this.store.db, id);
    if (row?.agent_id === agent.id) return row;
    throw new FarmError('CONFLICT', `the ask ${id} is not agent ${agent.name}'s`);
  }

  async #keep(
    announced: { readonly sha256: string; readonly bytes: number },
    content: Readable,
  ): Promise<void> {
    const upload = newId('u');
    try {
      await this.blobs.append(upload, 0, limitBytes(content, announced.bytes, 'the listing'));
      await this.blobs.commit(upload, announced);
    } catch (error) {
      await this.blobs.abandon(upload);
      throw error;
    }
  }

  async #count(sha256: string): Promise<{ readonly entries: number; readonly bytes: number }> {
    let [entries, bytes] = [0, 0];
    for await (const entry of readListing(gunzipped(() => this.blobs.open(sha256)))) {
      entries += 1;
      bytes += entry.bytes;
    }
    return { entries, bytes };
  }
}
