import { describe, expect, it } from '@jest/globals';
import type { KnownCheckpoint } from './missing-checkpoints.js';
import { wayTo, type NewestHere } from './way-to.js';

/** `3<2`: checkpoint 3, which continues 2. */
function known(text: string): KnownCheckpoint {
  const [id = '', previous = ''] = text.split('<');
  return { id, previous, workspace: 'build_data', label: `.step_${id}`, lineage: 'g1' };
}

/** `2`; `2 in front`: it equals an earlier state; `2 base`: the job goes on from it. */
function newestOf(text: string): NewestHere | null {
  const [id = '', ...rest] = text.split(' ');
  return id === '' ? null : { id, isBase: rest.includes('base'), isInFront: rest.includes('front') };
}

function way(wanted: string, newest: string, elsewhere: string): string {
  const all = elsewhere.split(' ').filter((word) => word !== '');
  const found = wayTo(known(wanted), newestOf(newest), all.map(known));
  return found === null ? 'nothing' : found.map(({ id }) => id).join(' ');
}

describe('the way to a state that another agent holds', () => {
  it.each([
    ['continues the newest', '3<2', '2', '', '3'],
    ['has what is between', '5<4', '2 in front', '5<4 4<3 3<2 2<1', '3 4 5'],
    ['has all that leads to it where nothing is here', '3<2', '', '3<2 2<1 1<', '1 2 3'],
    ['begins where nobody knows more', '3<2', '', '3<2 1<', '3'],
    ['has nothing else where what is between is not known', '5<4', '2 in front', '4<3', '5'],
    ['has nothing else behind an equal state of another attempt', '3<2', "2' in front", '3<2 2<1 1<', '3'],
    ['goes on from the base', '3<2', 'end base', '3<2 2<1 1<', '1 2 3'],
    ['does not take the place of a later one', '3<2', '5', '3<2 2<1', 'nothing'],
    ['does not take the place of what is no part of it', '2<1', 'x', '1<', 'nothing'],
    ['ends, whatever the record says', '2<1', '', '1<2', '1 2'],
  ])('%s', (_, wanted, newest, elsewhere, expected) => {
    expect(way(wanted, newest, elsewhere)).toBe(expected);
  });
});
