import { describe, expect, it } from '@jest/globals';
import { AS_IT_IS } from './choice.js';
import { submitCommand } from './submit-command.js';

const ALL = { variants: [], matrix: {} };

describe('the command that does the same', () => {
  it.each([
    ['live.xml', ALL, {}, 'distrofarm submit live.xml'],
    [
      'a/live.xml',
      { ...ALL, variants: ['de', 'fr'] },
      {},
      'distrofarm submit --variant de --variant fr a/live.xml',
    ],
    [
      'live.xml',
      { ...ALL, matrix: { locale: ['en', 'de'], edition: [] } },
      {},
      'distrofarm submit --matrix locale=en,de --matrix edition live.xml',
    ],
    [
      'live.xml',
      ALL,
      {
        priority: 'high',
        pauseBefore: 'iso',
        reuse: false,
        waitForReplicas: true,
        waitForAgents: true,
      } as const,
      'distrofarm submit --pause iso --priority high --no-reuse --wait-for-replicas --wait-for-agents live.xml',
    ],
    ["-it's.xml", ALL, { note: ' $(reboot); ' }, `distrofarm submit --note '$(reboot);' './-it'\\''s.xml'`],
    ['live.xml', ALL, { extras: ['a b'] }, `distrofarm submit --file 'a b' live.xml`],
  ])('of %s, %j, %j', (address, chosen, choice, command) => {
    expect(submitCommand(address, chosen, { ...AS_IT_IS, ...choice })).toBe(command);
  });
});
