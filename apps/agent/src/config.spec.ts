import { describe, expect, it } from '@jest/globals';
import { addressProblem } from './link/coordinator-address.js';
import { ConfigError, parseConfig } from './config.js';

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    parseConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe('parseConfig', () => {
  it('needs nothing, as everything has a default', () => {
    expect(parseConfig({ DISTROFARM_AGENT_LABELS: '' })).toMatchObject({
      stateFolder: '/var/lib/distrofarm-agent',
      store: { kind: 'folder', path: '/var/lib/distrofarm-agent/areas' },
      slots: 1,
      labels: [],
    });
  });

  it('reads a dataset, words and numbers', () => {
    const config = parseConfig({
      DISTROFARM_AGENT_STORE: 'tank/farm',
      DISTROFARM_AGENT_LABELS: 'fast, ssd  rack1',
      DISTROFARM_AGENT_SLOTS: '4',
    });
    expect(config).toMatchObject({
      store: { kind: 'dataset', dataset: 'tank/farm' },
      labels: ['fast', 'ssd', 'rack1'],
      slots: 4,
    });
  });

  it('tells all problems at once', () => {
    const problems = problemsOf({
      DISTROFARM_AGENT_SLOT: '2',
      DISTROFARM_AGENT_SLOTS: 'many',
      DISTROFARM_AGENT_STORE: 'tank',
      DISTROFARM_AGENT_STATE: 'here',
      DISTROFARM_COORDINATOR: 'http://farm.example.test',
    });
    const names = problems.map((each) => each.split(':')[0]).toSorted();
    expect(names).toEqual([
      'DISTROFARM_AGENT_SLOT',
      'DISTROFARM_AGENT_SLOTS',
      'DISTROFARM_AGENT_STATE',
      'DISTROFARM_AGENT_STORE',
      'DISTROFARM_COORDINATOR',
    ]);
  });

  it('leaves the settings of other programs alone', () => {
    expect(problemsOf({ DISTROFARM_DATABASE: 'x', DISTROFARM_TOKEN: 'y' })).toEqual([]);
  });
});

describe('addressProblem', () => {
  it.each([
    'https://farm.example.test',
    'https://10.0.0.1:8443',
    'http://localhost:8080',
    'http://127.0.0.1',
    'http://[::1]:1',
    'unix:/run/farm.sock',
  ])('takes %s', (address) => expect(addressProblem(address)).toBeNull());
  it.each([
    'http://farm.example.test',
    'http://10.0.0.1',
    'http://127.0.0.1.example.test',
    'ftp://localhost',
    'farm',
    'unix:run',
  ])('refuses %s', (address) => expect(addressProblem(address)).not.toBeNull());
});
