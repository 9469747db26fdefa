import { describe, expect, it } from '@jest/globals';
import type { AgentId, BuildId } from '#libs/contracts';
import { findCheckpoint, parseCheckpointName, type NamedCheckpoint } from './find-checkpoint.js';

const BUILD = 'b-0123456789' as BuildId;

/** `variant/lane@label id takenAt`. */
function checkpoints(...texts: readonly string[]): readonly NamedCheckpoint[] {
  return texts.map((text) => {
    const [place = '', id = '', takenAt = '0'] = text.split(' ');
    const [, variant = '', lane = '', label = ''] = /^(.*)\/(.*)@(.*)$/.exec(place) ?? [];
    const workspace = lane === 'main' ? 'build_data' : `build_data.${lane}`;
    const agentId = 'a-0000000000' as AgentId;
    return { id, agentId, buildId: BUILD, variant, workspace, label, takenAt: Number(takenAt) };
  });
}

describe('parseCheckpointName', () => {
  it.each<[string, readonly (string | null)[] | null]>([
    ['latest@pop', ['latest', null, null, 'pop']],
    ['b-12.de@pop', ['b-12', 'de', null, 'pop']],
    ['b-12.gnome-de-x64.v3/iso@end', ['b-12', 'gnome-de-x64.v3', 'iso', 'end']],
    ['b-12/iso@.step_x', ['b-12', null, 'iso', '.step_x']],
    ['1234567', null],
    ['5a1f-77', null],
    ['b-12.de', null],
    ['b-12@', null],
    ['@pop', null],
    ['b-12 @pop', null],
  ])('%s', (text, expected) => {
    const name = parseCheckpointName(text);
    expect(name === null ? null : [name.build, name.variant, name.lane, name.at]).toEqual(expected);
  });
});

describe('findCheckpoint', () => {
  const ONE = [
    'default/main@.step_pop 1',
    'default/main@.step_mod 2',
    'default/main@.end_mod 3',
    'default/iso@.end_iso 4',
    'default/iso@.step_iso 5',
  ];
  const TWO = ['de/main@.step_pop 1', 'en/main@.step_pop 2'];
  it.each<[string, readonly string[], string, string]>([
    ['a step', ONE, 'latest@mod', '2'],
    ['the end: of main', ONE, 'latest@end', '3'],
    ['the end of a lane', ONE, 'latest/iso@end', '4'],
    ['a step of a lane, without its name', ONE, 'latest@iso', '5'],
    ['a label as it is', ONE, 'latest@.end_iso', '4'],
    ['a variant', TWO, 'latest.en@pop', '2'],
    ['a step that is called end', [...ONE, 'default/iso@.step_end 9'], 'latest@end', '9'],
    [
      'the newest of several',
      ['default/main@.step_a 1 10', 'default/main@.step_a 2 30', 'default/main@.step_a 3 20'],
      'latest@a',
      '2',
    ],
    ['no build with any', [], 'latest@a', 'no agent holds a checkpoint of build b-0123456789'],
    [
      'no variant where there are several',
      TWO,
      'latest@pop',
      'build b-0123456789 has checkpoints of 2 variants | Name one: b-0123456789.de@pop. There are de and en.',
    ],
    [
      'an unknown variant',
      TWO,
      'latest.dee@pop',
      'no agent holds a checkpoint of variant "dee" of build b-0123456789 | Did you mean "de"? There are de and en.',
    ],
    [
      'an unknown lane',
      ONE,
      'latest/iro@pop',
      'no agent holds a checkpoint of lane "iro" of b-0123456789.default | Did you mean "iso"? There are iso and main.',
    ],
    [
      'an unknown step',
      ONE,
      'latest@mood',
      'no agent holds a checkpoint "mood" of b-0123456789.default | Did you mean "mod"? There are end, iso, mod and pop.',
    ],
  ])('%s', (_, held, text, expected) => {
    const found = findCheckpoint(parseCheckpointName(text)!, BUILD, checkpoints(...held));
    if (found.kind === 'found') expect(found.checkpoint.id).toBe(expected);
    else expect(`${found.message} | ${found.hint}`).toContain(expected);
  });
});
