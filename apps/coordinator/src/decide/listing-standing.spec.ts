import { describe, expect, it } from '@jest/globals';
import { LISTING_TERM_MS, type AgentId } from '#libs/contracts';
import { listingStanding, mayList, type AskedListing, type ListingAgent } from './listing-standing.js';

const agent = (name: string, change: Partial<ListingAgent> = {}): ListingAgent => ({
  ...{ id: `a-000000000${name}` as AgentId, name, lostAt: null, revokedAt: null, instance: 'x' },
  ...change,
});
const [A, B] = [agent('a'), agent('b')];
const LOST = { lostAt: 1 };
const NOW = 10_000_000;
const open = (change: Partial<AskedListing> = {}): AskedListing => ({
  ...{ asked_at: NOW - 1000, agent_id: null, taken_at: null, answered_at: null },
  ...{ sha256: null, entries: null, bytes: null, failure: null },
  ...change,
});
const takenBy = ({ id }: ListingAgent, since = 5000): Partial<AskedListing> => ({
  agent_id: id,
  taken_at: NOW - since,
});

describe('mayList', () => {
  it.each<[string, Partial<AskedListing>, readonly ListingAgent[], boolean]>([
    ['nobody has taken', {}, [A, B], true],
    ['another one makes', takenBy(A), [A, B], false],
    ['one took that is lost', takenBy(A), [agent('a', LOST), B], true],
    ['one took that is revoked', takenBy(A), [agent('a', { revokedAt: 1 }), B], true],
    ['one took that is forgotten', takenBy(A), [B], true],
    ['one took whose term is over', takenBy(A, LISTING_TERM_MS), [A, B], true],
  ])('one that %s', (_, ask, agents, expected) => {
    expect(mayList(open(ask), agents, NOW)).toBe(expected);
  });
});

describe('listingStanding', () => {
  it.each<[string, Partial<AskedListing>, readonly ListingAgent[], string]>([
    ['is there', { sha256: 'x', entries: 3, bytes: 9, answered_at: 5 }, [], 'ready'],
    ['failed', { failure: 'agent a could not list it: EIO' }, [A], 'failed: agent a could not list it: EIO'],
    [
      'nobody can make',
      {},
      [],
      'failed: no agent holds the checkpoint any more, and nobody has listed it before',
    ],
    ['one makes', takenBy(A), [A, B], 'waiting: agent a lists it'],
    ['one is to make', {}, [A], 'waiting: agent a is to list it'],
    ['one of two is to make', {}, [A, B], 'waiting: agents a and b are to list it'],
    [
      'one of two is to make, the other is lost',
      takenBy(A),
      [agent('a', LOST), B],
      'waiting: agent b is to list it',
    ],
    [
      'is late',
      { asked_at: NOW - 60_000 },
      [A],
      'waiting: agent a is to list it; an agent of an older version cannot',
    ],
    ['has let its term pass', takenBy(A, LISTING_TERM_MS), [A], 'waiting: agent a is to list it'],
    [
      'is with one that is lost',
      takenBy(A),
      [agent('a', LOST)],
      'failed: agent a, which holds it, is not connected',
    ],
    [
      'is with two that are away',
      {},
      [agent('a', LOST), agent('b', { instance: null })],
      'failed: agents a and b, which hold it, are not connected',
    ],
  ])('of one that %s', (_, ask, holders, expected) => {
    const standing = listingStanding(open(ask), holders, NOW);
    expect(standing.state === 'ready' ? 'ready' : `${standing.state}: ${standing.why}`).toBe(expected);
  });
});
