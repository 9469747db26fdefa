import { keepPreviousData, useQuery, type UseQueryResult } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { PlanPreview } from '#libs/contracts';
import { useSession } from '../session/session.js';
import type { Choice } from './choice.js';
import type { Draft } from './draft.js';
import { bytesOf, hasInterpreter, lookAt, type Looked } from './gather.js';
import { sentFiles, submissionBody, type ChosenVariants, type SentFiles } from './submission-body.js';
import { LIMITS } from './submission-limits.js';

/** Fingerprints are asked for, which may take most of a minute; PLAN_WAIT_MS of the coordinator. */
const LONGEST_PLAN_MS = 120_000;
/** Whoever ticks one variant soon ticks another. */
const SETTLE_MS = 400;

/** What was read, and of which drop and choice that is: an earlier one is shown while the next is read. */
export interface LookedAt extends Looked {
  readonly of: string;
}

/** What was dropped, read: again when something else is dropped, or another manifest is meant. */
export function useLooked({ things, revision, chosen }: Draft): UseQueryResult<LookedAt> {
  return useQuery({
    queryKey: [{ looked: revision, chosen }],
    queryFn: async () => ({
      ...(await lookAt(things, chosen, new Date())),
      of: `${revision} ${chosen ?? ''}`,
    }),
    enabled: things.length > 0,
    placeholderData: keepPreviousData,
    retry: false,
  });
}

/** The files as they are sent: of a submission that has all it needs. */
export function useSentFiles(
  { of, gathered, spare }: LookedAt,
  { extras: named }: Choice,
  isWhole: boolean,
): UseQueryResult<SentFiles> {
  const extras = spare.filter(({ name }) => named.includes(name));
  return useQuery({
    queryKey: [{ sent: of, extras: extras.map(({ name }) => name) }],
    queryFn: async () => {
      if (gathered === null) throw new RangeError('nothing is to be sent');
      const read = extras.map(async ({ name, file }) => {
        const bytes = await bytesOf(file, LIMITS.fileBytes);
        return { name, executable: hasInterpreter(bytes), bytes };
      });
      return sentFiles(gathered, await Promise.all(read));
    },
    enabled: isWhole && gathered !== null,
    retry: false,
  });
}

/**
 * What the farm says the submission would become; `null`s: there is nothing to ask about.
 *
 * @param of as `LookedAt` has it
 */
export function usePlan(
  of: string,
  choice: Choice,
  files: SentFiles | null,
  chosen: ChosenVariants | null,
): UseQueryResult<PlanPreview> {
  const { api } = useSession();
  const asked = planChoice(choice);
  const wanted = JSON.stringify([of, chosen, asked]);
  const isSettled = useSettled(wanted);
  return useQuery({
    queryKey: [{ plan: wanted }],
    queryFn: async ({ signal }) => {
      if (files === null || chosen === null) throw new RangeError('nothing is to be planned');
      const body = submissionBody(files, chosen, asked, null);
      return await api.post<PlanPreview>('/builds/plan', body, { signal, timeoutMs: LONGEST_PLAN_MS });
    },
    enabled: files !== null && chosen !== null && isSettled,
    placeholderData: keepPreviousData,
    // What a step would reuse another build makes, or drops, meanwhile.
    staleTime: 0,
    gcTime: 0,
  });
}

/** Of what was chosen, what the plan depends on. */
function planChoice(choice: Choice): Choice {
  return { ...choice, note: '', priority: 'normal', variants: null, values: {} };
}

function useSettled(value: string): boolean {
  const [settled, setSettled] = useState<string | null>(null);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled === value;
}
