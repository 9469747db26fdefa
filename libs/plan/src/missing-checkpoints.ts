import { decodeFacts } from './boundary-facts.js';
import type { Checkpoint } from './checkpoint.js';
import type { Job, Plan } from './plan.js';
import { lineageRule, type Lineage } from './resume-point.js';

/** A checkpoint somewhere, as far as a decision about it needs. */
export interface KnownCheckpoint {
  readonly id: string;
  readonly workspace: string;
  readonly label: string;
  /** Fact `build` of it. */
  readonly lineage: string;
  /** Id of the one that it continues; empty for the first of a job. */
  readonly previous: string;
}

/**
 * What to fetch, in this order, so that the job can go on from the furthest state that exists anywhere: the missing part of the longest chain that own
 * checkpoints and those elsewhere form together. Of two chains of one length, the one with more own ones. Empty: nobody has got further.
 */
export function missingCheckpoints<Known extends KnownCheckpoint>(
  plan: Plan,
  job: Job,
  own: readonly Checkpoint[],
  elsewhere: readonly Known[],
  lineage: Lineage,
): readonly Known[] {
  const belongs = lineageRule(plan, lineage);
  const owned = new Map(own.flatMap(knownOf).map((known) => [known.id, known]));
  const foreign = uniqueById(elsewhere.filter(({ id }) => !owned.has(id)));
  const places = plan.boundaries
    .filter(({ job: index }) => index === job.index)
    .map((boundary) => {
      const isHere = (known: KnownCheckpoint): boolean =>
        known.workspace === boundary.workspace &&
        known.label === boundary.label &&
        belongs(boundary, known.lineage);
      return { owned: [...owned.values()].filter(isHere), foreign: foreign.filter(isHere) };
    });
  // A job that took over a state has its first checkpoint there.
  const chains = places.map((_, start) => longestChain(places, start));
  return chains.reduce(better, NO_CHAIN).fetched;
}

/** What there is of a boundary. */
interface Place<Known> {
  readonly owned: readonly KnownCheckpoint[];
  readonly foreign: readonly Known[];
}

function longestChain<Known extends KnownCheckpoint>(
  places: readonly Place<Known>[],
  start: number,
): Chain<Known> {
  let chains: readonly Chain<Known>[] = [NO_CHAIN];
  for (const [at, { owned, foreign }] of places.entries()) {
    if (at < start) continue;
    const longer = chains.flatMap(({ last, fetched }) => [
      ...owned
        .filter(({ previous }) => previous === last)
        .map(({ id }) => ({ last: id, reaches: at + 1, fetched })),
      ...foreign
        .filter(({ previous }) => previous === last)
        .map((known) => ({ last: known.id, reaches: at + 1, fetched: [...fetched, known] })),
    ]);
    if (longer.length === 0) break;
    chains = longer;
  }
  return chains.reduce(better, NO_CHAIN);
}

/** The one that gets further; of two that get as far, the one of which less has to come. */
function better<Known>(a: Chain<Known>, b: Chain<Known>): Chain<Known> {
  const isBetter = b.reaches > a.reaches || (b.reaches === a.reaches && b.fetched.length < a.fetched.length);
  return isBetter ? b : a;
}

const NO_CHAIN = { last: '', reaches: 0, fetched: [] };

interface Chain<Known> {
  /** Id of its newest; empty: it has none. */
  readonly last: string;
  /** How many of the job's boundaries, from its first on, are behind it or in it. */
  readonly reaches: number;
  readonly fetched: readonly Known[];
}

function knownOf({ id, workspace, label, facts }: Checkpoint): readonly KnownCheckpoint[] {
  const decoded = decodeFacts(facts);
  return decoded === null
    ? []
    : [{ id, workspace, label, lineage: decoded.build, previous: decoded.previous }];
}

/** Several agents may hold the same. */
function uniqueById<Known extends KnownCheckpoint>(all: readonly Known[]): readonly Known[] {
  return [...new Map(all.map((known) => [known.id, known])).values()];
}
