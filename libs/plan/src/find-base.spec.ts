import { describe, expect, it } from '@jest/globals';
import { encodeFacts, factsAt } from './boundary-facts.js';
import type { Checkpoint, CheckpointFacts } from './checkpoint.js';
import { factsOfTree, findBase, type KnownBase } from './find-base.js';
import { planOf } from './testing.js';

const plan = planOf(['a', 'iso:b', 'usb:c']);
const end = plan.boundaries.find(({ before }) => before === null)!;
const base: KnownBase = { label: end.label, lineage: 'g1', checkpoint: '7', tree: 'digest' };

function checkpoint(id: string, facts: CheckpointFacts, label = end.label): Checkpoint {
  return { id, workspace: end.workspace, label, facts };
}

/** As an attempt of the lineage takes it. */
const taken = (id: string, lineage = 'g1'): Checkpoint =>
  checkpoint(id, encodeFacts(factsAt(end, 'before', plan.digests, lineage, new Date(0))));
const made = (id: string, tree: string, lineage = 'g1'): Checkpoint =>
  checkpoint(id, factsOfTree(end, plan.digests, { lineage, tree }, new Date(0)));

describe('what a job goes on from', () => {
  it.each<[string, readonly Checkpoint[], Partial<KnownBase>, string | undefined]>([
    ['is the very checkpoint', [taken('6'), taken('7')], {}, '7'],
    ['is no other of its name and lineage', [taken('6')], {}, undefined],
    ['is what was made of its tree', [taken('6'), made('8', 'digest')], {}, '8'],
    ['is nothing that was made of another tree', [made('8', 'other')], {}, undefined],
    [
      'is nothing that an earlier generation made of the same tree',
      [made('8', 'digest', 'g0')],
      {},
      undefined,
    ],
    ['is nothing else of the same tree', [{ ...made('8', 'digest'), label: '.step_a' }], {}, undefined],
    [
      'is what was made of the tree, where no id is known',
      [taken('6'), made('8', 'digest')],
      { checkpoint: null },
      '8',
    ],
    [
      'is nothing, where nothing is known',
      [taken('6'), made('8', 'digest')],
      { checkpoint: null, tree: null },
      undefined,
    ],
  ])('%s', (_, checkpoints, change, expected) => {
    expect(findBase(checkpoints, { ...base, ...change })?.id).toBe(expected);
  });
});
