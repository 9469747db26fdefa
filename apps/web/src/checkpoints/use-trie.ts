import { useQueries, useQueryClient } from '@tanstack/react-query';
import type { CheckpointTrie } from '#libs/contracts';
import { useSession } from '../session/session.js';
import { trieRows, type LevelAsk, type OpenedTrie, type TrieRow } from './trie-rows.js';

export interface ShownRows {
  readonly rows: readonly TrieRow[];
  /** Why something of it cannot be shown. */
  readonly error: Error | null;
  readonly retry: () => void;
}

/** The rows of the tree as it is opened. Each level that is open is a question of its own, kept true by the event stream. */
export function useTrie(filter: URLSearchParams, opened: OpenedTrie): ShownRows {
  const { api } = useSession();
  const queries = useQueryClient();
  const pathOf = (ask: LevelAsk): string => levelPath(filter, ask);
  const { rows, asks } = trieRows(opened, (ask) => queries.getQueryData<CheckpointTrie>([pathOf(ask)]));
  const answers = useQueries({
    queries: asks.map((ask) => {
      const path = pathOf(ask);
      return {
        queryKey: [path],
        queryFn: async ({ signal }: { readonly signal: AbortSignal }) =>
          await api.get<CheckpointTrie>(path, { signal }),
        // The rows are of data that is read from the cache, which nobody sees.
        notifyOnChangeProps: ['data' as const, 'error' as const],
      };
    }),
  });
  return {
    rows,
    error: answers.find(({ error }) => error !== null)?.error ?? null,
    retry: () => {
      for (const answer of answers) if (answer.isError) void answer.refetch();
    },
  };
}

export function levelPath(filter: URLSearchParams, { parent, after }: LevelAsk): string {
  const asked = new URLSearchParams(filter);
  if (parent !== null) asked.set('parent', parent);
  if (after !== null) asked.set('after', after);
  const text = asked.toString();
  return text === '' ? '/checkpoints/trie' : `/checkpoints/trie?${text}`;
}
