import { expect, it } from '@jest/globals';
import type { AgentLoad } from '#libs/contracts';
import { fromJson, toJson } from './json.js';
import type { AgentsTable, AuditTable } from './schema.js';

it('gives back what it was given, as the column says', () => {
  const load: AgentLoad = { cpu: 0.25, freeMemoryBytes: 2 ** 40 };
  const text = toJson<AgentsTable['load']>(load);
  const back: AgentLoad = fromJson<AgentsTable['load']>(text);
  expect(back).toEqual(load);
});

it('keeps what has no value as null', () => {
  expect(fromJson<AgentsTable['load']>(null)).toBeNull();
});

it('writes no character that PostgreSQL refuses in text', () => {
  const text = toJson<AuditTable['data']>({ odd: 'nul \u0000, half a pair \ud800' });
  expect(text).toBe(String.raw`{"odd":"nul \u0000, half a pair \ud800"}`);
});
