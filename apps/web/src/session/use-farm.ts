import { skipToken, useMutation, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import { useSession } from './session.js';

export interface FarmQueryOptions {
  /** Asked again so often, for what no event tells; else only when an event touches it. */
  readonly everyMs?: number;
}

/** What the API answers at a path below /api/v1, kept true by the event stream (live/refresher.ts). The path is the key; `null`: nothing is asked. */
export function useFarm<T>(path: string | null, { everyMs }: FarmQueryOptions = {}): UseQueryResult<T> {
  const { api } = useSession();
  return useQuery<T>({
    queryKey: [path],
    queryFn: path === null ? skipToken : async ({ signal }) => await api.get<T>(path, { signal }),
    refetchInterval: everyMs ?? false,
  });
}

export interface Order {
  /** Where to post it. */
  readonly path: string;
  readonly body: unknown;
  /** The path whose view the answer is; it is shown at once. */
  readonly answers?: string;
}

/** Gives the farm an order. */
export function useOrder<T>() {
  const { api } = useSession();
  const queries = useQueryClient();
  return useMutation<T, Error, Order>({
    mutationFn: async ({ path, body }) => await api.post<T>(path, body),
    onSuccess: (answer, { answers }) => {
      if (answers !== undefined) queries.setQueryData([answers], answer);
    },
  });
}
