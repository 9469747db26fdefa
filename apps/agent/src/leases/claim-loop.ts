import type { AgentSettings, Assignment } from '#libs/contracts';
import { retryDelays } from '#libs/event-stream';
import { ApiError } from '#libs/http-client';
import type { Logger } from 'pino';
import type { CoordinatorLink } from '../link/coordinator-link.js';
import { grantedAtMs } from './lease-decisions.js';
import { mayPass, pause } from '../link/persistently.js';

export interface ClaimLoopOptions {
  readonly link: CoordinatorLink;
  readonly instance: string;
  readonly settings: () => AgentSettings;
  readonly slots: number;
  /** The jobs that take a slot, each until it has ended. */
  readonly running: () => readonly Promise<void>[];
  /** `grantedAtMs`: when its lease began, by the monotonic clock. */
  readonly start: (assignment: Assignment, grantedAtMs: number) => void;
  readonly onRefused: (error: ApiError) => void;
  readonly log: Logger;
}

/** The coordinator answers a leaving agent at once; without a coordinator nobody needs to wait longer. */
const LAST_CLAIM_MS = 2_000;
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 15_000;

/**
 * Asks for work with one long poll at a time, while a slot is free, until `leaving` is aborted. An answer that is already under way then is still taken: the
 * coordinator believes that we have it.
 */
export async function claimLoop(options: ClaimLoopOptions, leaving: AbortSignal): Promise<void> {
  let delays = retryDelays({ firstMs: FIRST_DELAY_MS, maxMs: LONGEST_DELAY_MS });
  const hasLeft = (): boolean => leaving.aborted;
  while (!hasLeft()) {
    const running = options.running();
    if (running.length >= options.slots) {
      await Promise.race([...running, aborted(leaving)]);
      continue;
    }
    try {
      const sentAtMs = performance.now();
      const assignment = await claimOnce(options, leaving);
      if (assignment !== null)
        options.start(assignment, grantedAtMs(sentAtMs, assignment.waitedMs, performance.now()));
      delays = retryDelays({ firstMs: FIRST_DELAY_MS, maxMs: LONGEST_DELAY_MS });
    } catch (error) {
      if (hasLeft()) return;
      options.log.warn({ err: error }, 'claim failed');
      if (error instanceof ApiError && !mayPass(error)) {
        options.onRefused(error);
        return;
      }
      await pause(delays.next().value, leaving).catch(() => undefined);
    }
  }
}

async function claimOnce(
  { link, instance, settings }: ClaimLoopOptions,
  leaving: AbortSignal,
): Promise<Assignment | null> {
  const call = new AbortController();
  const giveUp = (): void => void setTimeout(() => call.abort(), LAST_CLAIM_MS).unref();
  leaving.addEventListener('abort', giveUp, { once: true });
  try {
    return await link.claim(instance, settings().claimWaitMs, call.signal);
  } finally {
    leaving.removeEventListener('abort', giveUp);
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}
