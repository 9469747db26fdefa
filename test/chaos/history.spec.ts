import { expect, it } from '@jest/globals';
import { withoutRepeats, type Operation, type Phase } from './history.js';

const operation = (phase: Phase, key: string): Operation => ({
  wall: 0,
  at: 0,
  actor: 'user',
  name: 'submit',
  phase,
  build: null,
  data: { key },
});

it('is told without what was only said again', () => {
  const [a, b] = [operation('invoke', 'a'), operation('invoke', 'b')];
  const [doneA, doneB] = [operation('ok', 'a'), operation('fail', 'b')];
  const unanswered = operation('info', 'a');
  const all = [a, unanswered, a, b, unanswered, a, doneA, doneB, a, doneA];
  expect(withoutRepeats(all)).toEqual([a, b, doneA, doneB, a, doneA]);
});
