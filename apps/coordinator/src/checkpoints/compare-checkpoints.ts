import { Injectable } from '@nestjs/common';
import { BlobError, BlobStore } from '#libs/artifacts';
import {
  FarmError,
  type AgentId,
  type BuildId,
  type CheckpointDiff,
  type ComparedCheckpoint,
} from '#libs/contracts';
import { pairEntries, readListing } from '#libs/listing';
import {
  checkpointsOfId,
  listAgents,
  listCheckpoints,
  listingsOfCheckpoint,
  removeListing,
  type AgentRow,
  type ListingRow,
} from '#libs/store';
import { laneOf } from '../builds/lane-of.js';
import { BuildViews } from '../builds/build-views.js';
import { findCheckpoint, parseCheckpointName } from '../decide/find-checkpoint.js';
import { listingStanding } from '../decide/listing-standing.js';
import { Clock, Store } from '../store.js';
import { AskListings } from './ask-listings.js';
import { describeDifference, type Difference, type DifferenceQuery } from './describe-difference.js';
import { gunzipped } from './gunzipped.js';

/** A checkpoint, whether it is there yet or only its listing is. */
interface KnownCheckpoint {
  readonly id: string;
  readonly buildId: BuildId;
  readonly variant: string;
  readonly workspace: string;
  readonly label: string;
  readonly takenAt: number | null;
  readonly holders: readonly AgentId[];
}

interface Side {
  readonly shown: ComparedCheckpoint;
  readonly listing: ListingRow;
}

/** The difference between two states, whoever holds them, by the listings that agents make of them. */
@Injectable()
export class CompareCheckpoints {
  /** One at a time: a comparison is a second of this process, and nobody is to fill it with a hundred of them. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly store: Store,
    private readonly blobs: BlobStore,
    private readonly builds: BuildViews,
    private readonly listings: AskListings,
    private readonly clock: Clock,
  ) {}

  /** Does not wait for agents: until they have said what is in both, the answer says who is asked. Throws NOT_FOUND and TOO_MANY. */
  async compare(from: string, to: string, query: DifferenceQuery): Promise<CheckpointDiff> {
    const agents = new Map((await listAgents(this.store.db)).map((agent) => [agent.id, agent]));
    const [one, other] = [await this.#find('from', from), await this.#find('to', to)];
    const sides = { from: await this.#side(one, agents), to: await this.#side(other, agents) };
    const shown = { from: sides.from.shown, to: sides.to.shown };
    const states = [shown.from.listing.state, shown.to.listing.state];
    if (states.includes('failed')) return { state: 'failed', ...shown };
    if (states.includes('waiting')) return { state: 'waiting', ...shown };
    const difference = await this.#describe(sides, query);
    return difference === null
      ? await this.compare(from, to, query)
      : { state: 'ready', ...shown, ...difference };
  }

  /** `null`: the bytes of a listing are gone, and it is nobody's any more. */
  async #describe(
    { from, to }: Readonly<Record<'from' | 'to', Side>>,
    query: DifferenceQuery,
  ): Promise<Difference | null> {
    const entries = ({ listing }: Side): ReturnType<typeof readListing> =>
      readListing(gunzipped(() => this.blobs.open(listing.sha256 ?? '')));
    const described = this.#turn.then(() =>
      describeDifference(pairEntries(entries(from), entries(to)), query),
    );
    this.#turn = described.catch(() => undefined);
    try {
      return await described;
    } catch (error) {
      if (!(error instanceof BlobError) || error.code !== 'NOT_FOUND') throw error;
      for (const { listing } of [from, to])
        if (!(await this.blobs.has(listing.sha256 ?? ''))) await removeListing(this.store.db, listing.id);
      return null;
    }
  }

  async #find(parameter: 'from' | 'to', reference: string): Promise<KnownCheckpoint> {
    const { db } = this.store;
    const name = parseCheckpointName(reference);
    if (name !== null) {
      const build = await this.builds.resolve(name.build);
      const checkpoints = await listCheckpoints(db, { build: build.id });
      const found = findCheckpoint(name, build.id, checkpoints);
      if (found.kind === 'none') throw new FarmError('NOT_FOUND', found.message, found.hint);
      return withHolders(found.checkpoint, checkpoints);
    }
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(reference))
      throw new FarmError(
        'INVALID',
        `${parameter}: found "${reference.slice(0, 100)}", expected the id of a checkpoint, or a name such as latest.default@STEP`,
        'distrofarm checkpoints list shows both.',
      );
    const checkpoints = await checkpointsOfId(db, reference);
    const [first] = checkpoints;
    if (first !== undefined) return withHolders(first, checkpoints);
    const [listed] = await listingsOfCheckpoint(db, reference);
    if (listed !== undefined) {
      const { build_id: buildId, variant, workspace, label } = listed;
      return { id: reference, buildId, variant, workspace, label, takenAt: null, holders: [] };
    }
    throw new FarmError(
      'NOT_FOUND',
      `no agent holds a checkpoint "${reference}"`,
      'distrofarm checkpoints list shows what there is. A checkpoint has a name, too: latest.default@STEP, and @end behind the last step.',
    );
  }

  async #side(checkpoint: KnownCheckpoint, agents: ReadonlyMap<AgentId, AgentRow>): Promise<Side> {
    const { id, buildId: build, variant, workspace, label, takenAt } = checkpoint;
    const listing = await this.listings.want(checkpoint, checkpoint.holders);
    const holders = checkpoint.holders.flatMap((holder) => agents.get(holder) ?? []);
    return {
      listing,
      shown: {
        ...{ id, build, variant, lane: laneOf(workspace), label, takenAt },
        before: label.startsWith('.step_') ? label.slice('.step_'.length) : null,
        agents: holders.map(({ id: agent, name: agentName }) => ({ agent, agentName })),
        listing: listingStanding(listing, holders, this.clock.now()),
      },
    };
  }
}

function withHolders(
  { id, buildId, variant, workspace, label, takenAt }: Omit<KnownCheckpoint, 'holders'>,
  checkpoints: readonly (Omit<KnownCheckpoint, 'holders'> & { readonly agentId: AgentId })[],
): KnownCheckpoint {
  const same = checkpoints.filter(
    (each) => each.id === id && each.buildId === buildId && each.variant === variant,
  );
  const holders = [...new Set(same.map(({ agentId }) => agentId))];
  return { id, buildId, variant, workspace, label, takenAt, holders };
}
