import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeFacts, factsAt } from './boundary-facts.js';
import type { Checkpoint } from './checkpoint.js';
import { missingCheckpoints, type KnownCheckpoint } from './missing-checkpoints.js';
import { findResumableInJob } from './resume-point.js';
import { planOf } from './testing.js';

const plan = planOf(['a', 'b', 'c', 'd']);
const [job] = plan.jobs;
const LINEAGE = { lineage: 'g2', ancestry: [{ lineage: 'g1', upTo: 'b' }] };

/** `2<1@g1`: checkpoint 2, in front of the second step, which continues 1 and is of lineage g1; `2'` is another one at the same place. */
function known(text: string): KnownCheckpoint {
  const [, id = '', previous = '', lineage = 'g2'] = /^([\d']+)<([\d']*)(?:@(\w+))?$/.exec(text) ?? [];
  const boundary = plan.boundaries[Number.parseInt(id) - 1]!;
  return { id, workspace: boundary.workspace, label: boundary.label, previous, lineage };
}

function held(text: string): Checkpoint {
  const { id, workspace, label, previous, lineage } = known(text);
  const boundary = plan.boundaries.find((each) => each.label === label)!;
  const facts = encodeFacts(factsAt(boundary, previous, plan.digests, lineage, new Date(0)));
  return { id, workspace, label, facts };
}

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');

function missing(own: string, elsewhere: string): string {
  const found = missingCheckpoints(plan, job!, words(own).map(held), words(elsewhere).map(known), LINEAGE);
  return found.map(({ id }) => id).join(' ');
}

describe('what is missing here', () => {
  it.each([
    ['nothing anywhere', '', '', ''],
    ['all of it', '', '1< 2<1 3<2', '1 2 3'],
    ['the rest', '1< 2<1', '1< 2<1 3<2', '3'],
    ['nothing, when nobody has got further', '1< 2<1', '1< 2<1', ''],
    ['nothing of a shorter branch', '1< 2<1 3<2', "1< 2'<1", ''],
    ['a longer branch, from where it parts', '1< 2<1', "1< 2'<1 3<2'", "2' 3"],
    ['nothing behind a hole', '', '1< 3<2', '1'],
    ['nothing of another lineage', '', '1<@g7 2<1@g7', ''],
    ['of an earlier lineage, what it is good for', '', '1<@g1 2<1@g1 3<2@g1', '1 2'],
    ['of two alike, the one that is here', '1<', "1'<", ''],
    ['what begins behind the start, of a state that was taken over', '', '2< 3<2', '2 3'],
    ['what begins later, when it gets further', '1< 2<1', '3<', '3'],
    ['nothing of what begins later and gets as far', '1< 2<1 3<2', '2<', ''],
    ['the same from several agents once', '', '1< 1< 2<1 2<1', '1 2'],
  ])('%s', (_, own, elsewhere, expected) => {
    expect(missing(own, elsewhere)).toBe(expected);
  });

  it('makes, once it is here, the longest chain that there is', () => {
    const nodes = fc.array(fc.tuple(fc.nat(3), fc.nat(2), fc.boolean()), { maxLength: 12 });
    fc.assert(
      fc.property(nodes, (all) => {
        const everywhere = new Map<string, string>();
        // A store has one checkpoint of a label, and drops what came after those that it goes back to.
        const here = new Map<number, string>();
        for (const [depth, twin, isHere] of all) {
          const id = `${depth + 1}${"'".repeat(twin)}`;
          const parent =
            depth === 0 ? '' : [...everywhere.keys()].find((each) => Number.parseInt(each) === depth);
          if (parent === undefined || everywhere.has(id)) continue;
          everywhere.set(id, `${id}<${parent}`);
          const isContinued = depth === 0 || here.get(depth)?.startsWith(`${parent}<`) === true;
          if (isHere && isContinued && !here.has(depth + 1)) here.set(depth + 1, `${id}<${parent}`);
        }
        const fetched = words(missing([...here.values()].join(' '), [...everywhere.values()].join(' ')));
        for (const id of fetched) here.set(Number.parseInt(id), everywhere.get(id) ?? '');
        const { held: chain } = findResumableInJob(plan, job!, [...here.values()].map(held), LINEAGE);
        expect(chain.length).toBe(Math.max(0, ...[...everywhere.keys()].map((id) => Number.parseInt(id))));
      }),
    );
  });
});
