import { describe, expect, it } from '@jest/globals';
import { recordedStep, stepChanges } from './recorded-step.js';
import type { StepIngredients } from './step-ingredients.js';

function ingredients(password: string, hostname = 'a', whole = true): StepIngredients {
  const params = [
    ['hostname', [], [hostname], []],
    ['rootpass', [['is_plaintext', 'true']], [password], []],
    ['user', [], [], [['password', [], [password], []]]],
  ];
  const content = whole ? ['distribution', [], [''], [['img_params', [], [''], params]]] : params;
  return {
    script: 's',
    args: [],
    reads: [[whole ? '' : 'img_params/*', JSON.stringify(content)]],
    variables: [],
    fingerprint: '',
    tools: [],
    sourceDateEpoch: 1,
  };
}

describe.each([true, false])('recordedStep (of the whole manifest: %s)', (whole) => {
  it('keeps no password', () => {
    expect(JSON.stringify(recordedStep(ingredients('hush', 'a', whole)))).not.toContain('hush');
  });

  it.each<[string, StepIngredients, RegExp | null]>([
    ['nothing', ingredients('hush', 'a', whole), null],
    ['a password', ingredients('other', 'a', whole), /^a password that it reads changed$/],
    ['another value', ingredients('hush', 'b', whole), /changed from a to b$/],
  ])('tells that %s changed', (_, now, expected) => {
    const changes = stepChanges(recordedStep(ingredients('hush', 'a', whole)), recordedStep(now));
    if (expected === null) expect(changes).toEqual([]);
    else expect(changes).toEqual([expect.stringMatching(expected)]);
  });
});
