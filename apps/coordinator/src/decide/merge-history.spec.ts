import { describe, expect, it } from '@jest/globals';
import type { AgentChange, AttemptId, EventType, FarmEvent } from '#libs/contracts';
import {
  BEGINNING,
  changeOf,
  mergeHistory,
  readHistoryCursor,
  writeHistoryCursor,
  type HistoryEntry,
  type HistoryPosition,
} from './merge-history.js';

const id = (number: number): AttemptId => `t-${String(number).padStart(10, '0')}` as AttemptId;

/** `a5` is attempt 5, given at 5; `c7` the change of event 7, at 7. */
function entriesOf(text: string): readonly HistoryEntry[] {
  return text.split(' ').map((word): HistoryEntry => {
    const at = Number(word.slice(1));
    if (word.startsWith('c'))
      return { kind: 'change', at, seq: at, what: 'lost', by: '', why: '', until: null };
    return {
      kind: 'attempt',
      at,
      attempt: id(at),
      build: 'b-0000000001' as never,
      name: 'Live',
      variant: 'default',
      lane: 'main',
      number: 1,
      state: 'ended',
      phase: null,
      startedAt: at,
      endedAt: at,
      end: { kind: 'succeeded' },
      steps: [],
    };
  });
}

const shown = (page: readonly HistoryEntry[]): string =>
  page.map((entry) => `${entry.kind === 'attempt' ? 'a' : 'c'}${entry.at}`).join(' ');

describe('the history of an agent', () => {
  it.each([
    ['a9 a5 c7 c3', 4, 'a9 c7 a5 c3', null],
    ['a9 a5 c7 c3', 3, 'a9 c7 a5', { attempt: { assignedAt: 5, id: id(5) }, change: 7 }],
    ['a9 a8 c3 c2', 2, 'a9 a8', { attempt: { assignedAt: 8, id: id(8) }, change: null }],
    ['c9 c8 a3', 2, 'c9 c8', { attempt: null, change: 8 }],
  ] as const)('of %s, %d a page, shows %s', (given, limit, expected, position) => {
    const { page, next } = mergeHistory(entriesOf(given), limit, BEGINNING);
    expect(shown(page)).toBe(expected);
    expect(next).toEqual(position);
  });

  it('goes on behind what a page did not move', () => {
    const from = { attempt: { assignedAt: 20, id: id(20) }, change: 19 };
    expect(mergeHistory(entriesOf('a9 a8 c3'), 2, from).next).toEqual({
      attempt: { assignedAt: 8, id: id(8) },
      change: 19,
    });
  });

  it.each<HistoryPosition>([
    BEGINNING,
    { attempt: { assignedAt: 1_700_000_000_000, id: id(3) }, change: null },
    { attempt: null, change: 12 },
    { attempt: { assignedAt: 0, id: id(0) }, change: 1 },
  ])('finds %j again by its cursor', (position) => {
    expect(readHistoryCursor(writeHistoryCursor(position))).toEqual(position);
  });

  it.each(['', '-', '5', '5.-.3', '-.t-0000000001.3', '5.b-0000000001.3', '5.t-0000000001.3; drop'])(
    'knows no cursor %j',
    (cursor) => {
      expect(readHistoryCursor(cursor)).toBeNull();
    },
  );

  it.each<[EventType, FarmEvent['data'], Partial<AgentChange> | null]>([
    ['agent-enrolled', { name: 'tank', by: 'ada' }, { what: 'enrolled', by: 'ada', why: '' }],
    ['agent-connected', { name: 'tank', version: '1' }, { what: 'started', by: '' }],
    ['agent-connected', { name: 'tank', again: true }, { what: 'came-back' }],
    ['agent-lost', { name: 'tank', lastSeenAt: 3 }, { what: 'lost' }],
    ['agent-paused', { by: 'ada', why: 'lunch', until: 99 }, { what: 'paused', why: 'lunch', until: 99 }],
    ['agent-unpaused', { by: 'its own end' }, { what: 'unpaused', by: 'its own end' }],
    [
      'agent-quarantined',
      { name: 'tank', why: '3 failures in a row', until: 9 },
      { what: 'quarantined', why: '3 failures in a row', until: 9 },
    ],
    ['agent-drained', { by: 3, why: null }, { what: 'drained', by: '', why: '', until: null }],
    ['warning', {}, null],
  ])('is told by %s with %j', (type, data, expected) => {
    const change = changeOf({
      seq: 5,
      at: 7,
      type,
      build: null,
      job: null,
      attempt: null,
      agent: null,
      data,
    });
    if (expected === null) expect(change).toBeNull();
    else expect(change).toMatchObject({ kind: 'change', seq: 5, at: 7, ...expected });
  });
});
