import { describe, expect, it } from '@jest/globals';
import { childDataset, parseDatasetName, poolOf, snapshotName } from './dataset-name.js';

const LONGEST = `p/${'a'.repeat(253)}`;

describe('parseDatasetName', () => {
  it.each(['tank', 'tank/a', 'rpool/dc/build_data', 't/a.b', 't/a:b', 't/-a', 't/0', 'T9/x', LONGEST])(
    'takes %j',
    (name) => {
      expect(parseDatasetName(name)).toBe(name);
    },
  );

  it.each([
    ['nothing', ''],
    ['no pool', '/a'],
    ['a path', '/tank/a'],
    ['an empty component', 'tank//a'],
    ['a slash at the end', 'tank/'],
    ['a pool that starts with a digit', '1tank/a'],
    ['an option', '-r'],
    ['a snapshot', 'tank/a@b'],
    ['a bookmark', 'tank/a#b'],
    ['parents', 'tank/..'],
    ['itself', 'tank/./a'],
    ['a blank', 'tank/a b'],
    ['a newline at the end', 'tank/a\n'],
    ['shell text', 'tank/$(x)'],
    ['beyond ASCII', 'tank/ä'],
    ['one character too many', `${LONGEST}a`],
  ])('refuses %s', (_, name) => {
    expect(() => parseDatasetName(name)).toThrow(expect.objectContaining({ code: 'FAILED' }));
  });
});

describe('names made of others', () => {
  const tank = parseDatasetName('tank/dc');

  it('takes one component for a child', () => {
    expect(childDataset(tank, 'main')).toBe('tank/dc/main');
    for (const bad of ['a/b', '', '..', 'a@b'])
      expect(() => childDataset(tank, bad)).toThrow(expect.objectContaining({ code: 'FAILED' }));
  });

  it('takes one component for a snapshot, and no more than fits', () => {
    expect(snapshotName(tank, '.step_im-pop')).toBe('tank/dc@.step_im-pop');
    for (const bad of ['', 'a/b', 'a@b', 'a b', 'a%b', 'a\n', 'x'.repeat(248)]) {
      expect(() => snapshotName(tank, bad)).toThrow(expect.objectContaining({ code: 'FAILED' }));
    }
    expect(snapshotName(tank, 'x'.repeat(247))).toHaveLength(255);
  });

  it('knows the pool', () =>
    expect([poolOf(tank), poolOf(parseDatasetName('tank'))]).toEqual(['tank', 'tank']));
});
