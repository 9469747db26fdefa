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
  const foreign = elsewhere.filter(({ id }) => !owned.has(id));
  let chains: readonly Chain<Known>[] = [{ last: '', fetched: [] }];
  for (const boundary of plan.boundaries.filter(({ job: index }) => index === job.index)) {
    const isHere = (known: KnownCheckpoint): boolean =>
      known.workspace === boundary.workspace &&
      known.label === boundary.label &&
      belongs(boundary, known.lineage);
    const longer = chains.flatMap(({ last, fetched }) => [
      ...[...owned.values()]
        .filter((known) => isHere(known) && known.previous === last)
        .map(({ id }) => ({ last: id, fetched })),
      ...uniqueById(foreign)
        .filter((known) => isHere(known) && known.previous === last)
        .map((known) => ({ last: known.id, fetched: [...fetched, known] })),
    ]);
    if (longer.length === 0) break;
    chains = longer;
  }
  return chains.toSorted((a, b) => a.fetched.length - b.fetched.length)[0]?.fetched ?? [];
}

interface Chain<Known> {
  /** Id of its newest. */
  readonly last: string;
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
