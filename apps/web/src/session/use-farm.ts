import {
  skipToken,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
  type UseQueryResult,
} from '@tanstack/react-query';
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

/** The same of what comes in pages, each of which names the next. The path has a query already. */
export function useFarmPages<Page extends { readonly next: string | null }>(path: string) {
  const { api } = useSession();
  return useInfiniteQuery({
    queryKey: [path],
    queryFn: async ({ pageParam, signal }) =>
      await api.get<Page>(pageParam === null ? path : `${path}&cursor=${encodeURIComponent(pageParam)}`, {
        signal,
      }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
  });
}

export interface Order {
  /** Where to post it. */
  readonly path: string;
  readonly body: unknown;
  /** The path whose view the answer is; it is shown at once. */
  readonly answers?: string;
  /** For what takes the farm longer to answer than anything else. */
  readonly timeoutMs?: number;
}

/** Gives the farm an order. */
export function useOrder<T>() {
  const { api } = useSession();
  const queries = useQueryClient();
  return useMutation<T, Error, Order>({
    mutationFn: async ({ path, body, timeoutMs }) =>
      await api.post<T>(path, body, timeoutMs === undefined ? {} : { timeoutMs }),
    onSuccess: (answer, { answers }) => {
      if (answers !== undefined) queries.setQueryData([answers], answer);
    },
  });
}
