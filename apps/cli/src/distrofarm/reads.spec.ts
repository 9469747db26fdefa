import { describe, expect, it } from '@jest/globals';
import type { BuildId } from '#libs/contracts';
import picocolors from 'picocolors';
import { readsLines } from './commands/reads.js';

const BUILD = 'b-000000000000000001' as BuildId;

function lines(declared: readonly string[] | null, asked: readonly string[] | null): readonly string[] {
  const step = {
    step: 'pop',
    declared: declared === null ? null : [...declared],
    asked: asked === null ? null : [...asked],
    askedIn: asked === null ? null : BUILD,
  };
  return readsLines({ colours: picocolors.createColors(false) }, { build: BUILD, steps: [step] });
}

describe('readsLines', () => {
  it('gives the line to paste, no wider than what was asked', () => {
    expect(lines(null, ['name', 'img_params/packages', 'img_params/packages/pkg/name'])).toEqual([
      `pop as it ran in ${BUILD}`,
      '  # farm:reads: img_params/packages name',
      '  nothing declared',
    ]);
  });

  it.each<[readonly string[], readonly string[], string]>([
    [['name'], ['name'], '  declared: name'],
    [['img_params'], ['img_params/packages'], '  declared: img_params'],
    [[], ['name'], '  declared: no reads; without name'],
    [
      ['name', 'img_params/rootpass'],
      ['name'],
      '  declared: name img_params/rootpass; not asked for: img_params/rootpass',
    ],
  ])('compares what is declared, %j, with what was asked, %j', (declared, asked, expected) => {
    expect(lines(declared, asked)[2]).toBe(expected);
  });

  it('says that nothing is known of a script that has not run', () => {
    expect(lines(['name'], null)).toEqual(['pop no run of this script is remembered', '  declared: name']);
  });
});
