import type { AgentChange, AgentHistory, AttemptId, EventType, FarmEvent } from '#libs/contracts';

export type HistoryEntry = AgentHistory['entries'][number];

/** How far a reader has got: the last of either kind that was shown. */
export interface HistoryPosition {
  readonly attempt: { readonly assignedAt: number; readonly id: AttemptId } | null;
  /** Number of the event. */
  readonly change: number | null;
}

export const BEGINNING: HistoryPosition = { attempt: null, change: null };

/**
 * The newest `limit` of attempts and changes, each of which are the newest first behind `from`, and the position behind them; that is `null` when there
 * were not more.
 */
export function mergeHistory(
  entries: readonly HistoryEntry[],
  limit: number,
  from: HistoryPosition,
): { readonly page: readonly HistoryEntry[]; readonly next: HistoryPosition | null } {
  const page = entries.toSorted((a, b) => b.at - a.at).slice(0, limit);
  if (entries.length <= limit) return { page, next: null };
  return { page, next: page.reduce(positionBehind, from) };
}

function positionBehind(position: HistoryPosition, entry: HistoryEntry): HistoryPosition {
  return entry.kind === 'attempt'
    ? { ...position, attempt: { assignedAt: entry.at, id: entry.attempt } }
    : { ...position, change: entry.seq };
}

const CHANGES: Partial<Readonly<Record<EventType, AgentChange['what']>>> = {
  'agent-enrolled': 'enrolled',
  'agent-connected': 'started',
  'agent-lost': 'lost',
  'agent-drained': 'drained',
  'agent-undrained': 'undrained',
  'agent-paused': 'paused',
  'agent-unpaused': 'unpaused',
  'agent-quarantined': 'quarantined',
  'agent-revoked': 'revoked',
};

/** What an event says of its agent; `null`: nothing. */
export function changeOf({ type, at, seq, data }: FarmEvent): AgentChange | null {
  const what = type === 'agent-connected' && data['again'] === true ? 'came-back' : CHANGES[type];
  if (what === undefined) return null;
  const { by, why, until } = data;
  return {
    kind: 'change',
    at,
    seq,
    what,
    by: typeof by === 'string' ? by : '',
    why: typeof why === 'string' ? why : '',
    until: typeof until === 'number' ? until : null,
  };
}

const NOTHING = '-';

/** `<assigned at>.<attempt>.<event>`. */
export function writeHistoryCursor({ attempt, change }: HistoryPosition): string {
  return [attempt?.assignedAt ?? NOTHING, attempt?.id ?? NOTHING, change ?? NOTHING].join('.');
}

/** `null`: no page has given that. */
export function readHistoryCursor(cursor: string): HistoryPosition | null {
  const match = /^(?:(\d{1,16})\.(t-[0-9a-z]{10})|-\.-)\.(\d{1,16}|-)$/.exec(cursor);
  if (match === null) return null;
  const [, assignedAt, id, change] = match;
  return {
    attempt: assignedAt === undefined ? null : { assignedAt: Number(assignedAt), id: id as AttemptId },
    change: change === NOTHING ? null : Number(change),
  };
}
