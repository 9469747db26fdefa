import { useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import type { BuildChanges, BuildDetail } from '#libs/contracts';
import { useSession } from '../session/session.js';
import { withChanges } from './with-changes.js';

/**
 * The build at `/builds/…`, kept true by the event stream as `useFarm` has it: once asked for whole, then for what became of it, since a view of a thousand
 * variants is megabytes.
 */
export function useBuild(path: string): UseQueryResult<BuildDetail> {
  const { api } = useSession();
  const queries = useQueryClient();
  return useQuery<BuildDetail>({
    queryKey: [path],
    queryFn: async ({ signal }) => {
      const known = queries.getQueryData<BuildDetail>([path]);
      if (known !== undefined) {
        const changes = await api.get<BuildChanges>(`${path}/changes?since=${known.eventSeq}`, { signal });
        // `latest` may be another one by now.
        if (changes.id === known.id) return withChanges(known, changes);
      }
      return await api.get<BuildDetail>(path, { signal });
    },
    // Jobs that did not change are the same already.
    structuralSharing: false,
  });
}
