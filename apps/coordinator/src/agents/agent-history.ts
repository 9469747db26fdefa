import { Injectable } from '@nestjs/common';
import { FarmError, type AgentAttempt, type AgentHistory, type AgentHistoryQuery } from '#libs/contracts';
import { attemptsOfAgent, eventsOfAgent, type AgentRow, type PastAttempt } from '#libs/store';
import {
  BEGINNING,
  changeOf,
  mergeHistory,
  readHistoryCursor,
  writeHistoryCursor,
  type HistoryPosition,
} from '../decide/merge-history.js';
import { Store } from '../store.js';

/** What an agent ran, and what became of it. */
@Injectable()
export class AgentHistories {
  constructor(private readonly store: Store) {}

  /** Throws INVALID when the cursor is none. */
  async page(agent: AgentRow, { limit, cursor }: AgentHistoryQuery): Promise<AgentHistory> {
    const { db } = this.store;
    const from = positionOf(cursor);
    // One more than is shown: whether there are more.
    const most = limit + 1;
    const attempts = await attemptsOfAgent(db, agent.id, { before: from.attempt, limit: most });
    const events = await eventsOfAgent(db, agent.id, { before: from.change, limit: most });
    const changes = events.flatMap((event) => changeOf(event) ?? []);
    const { page, next } = mergeHistory([...attempts.map(entryOf), ...changes], limit, from);
    return { entries: [...page], next: next === null ? null : writeHistoryCursor(next) };
  }
}

function positionOf(cursor: string | undefined): HistoryPosition {
  const position = cursor === undefined ? BEGINNING : readHistoryCursor(cursor);
  if (position !== null) return position;
  throw new FarmError('INVALID', 'cursor: expected the `next` of an earlier page');
}

function entryOf({ id, assignedAt, steps, ...attempt }: PastAttempt): AgentAttempt {
  return { kind: 'attempt', at: assignedAt, attempt: id, ...attempt, steps: [...steps] };
}
