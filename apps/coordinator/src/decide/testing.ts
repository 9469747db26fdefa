import type { AgentId, BuildId, JobId } from '#libs/contracts';
import type { CandidateAgent, PlacementInput, WaitingJob } from './placement-input.js';

/** Agents and jobs for the specs: ordinary ones, with what a test is about said over them. */
export const NOW = 1_800_000_000_000;
export const GB = 1_000_000_000;
export const MINUTE = 60_000;

/** `tank` → an id that is the same each time. */
export function agentId(name: string): AgentId {
  return `a-${name}` as AgentId;
}

export function jobId(name: string): JobId {
  return `j-${name}` as JobId;
}

export function agentOf(name: string, over: Partial<CandidateAgent> = {}): CandidateAgent {
  return {
    id: agentId(name),
    name,
    architectures: ['amd64', 'i386'],
    labels: [],
    tools: ['mksquashfs', 'xorriso'],
    slots: 4,
    running: 0,
    freeBytes: 100 * GB,
    totalBytes: 500 * GB,
    cpuLoad: 0,
    state: 'ready',
    reason: '',
    until: null,
    lastAssignedAt: null,
    peer: {
      id: agentId(name),
      store: 'zfs',
      listens: true,
      isGone: over.state === 'lost' || over.state === 'revoked',
    },
    ...over,
  };
}

export type JobOver = Partial<Omit<WaitingJob, 'id' | 'requires'>> & {
  readonly requires?: Partial<WaitingJob['requires']>;
};

export function jobOf(name: string, over: JobOver = {}): WaitingJob {
  const { requires, ...rest } = over;
  return {
    id: jobId(name),
    build: `b-${name}` as BuildId,
    user: 'alice',
    priority: 'normal',
    waitingSince: NOW,
    createdAt: NOW,
    index: 0,
    onAgent: null,
    avoid: [],
    wants: { lineage: `b-${name}/default/0/g0`, base: null },
    done: [],
    isComplete: false,
    ordered: 0,
    boundaryBytes: [],
    ...rest,
    requires: { architecture: 'amd64', labels: [], tools: [], freeBytes: GB, ...requires },
  };
}

export function inputOf(
  jobs: readonly WaitingJob[],
  agents: readonly CandidateAgent[],
  over: Partial<PlacementInput> = {},
): PlacementInput {
  return {
    jobs,
    agents,
    holders: new Map(),
    runningByUser: new Map(),
    limits: { runningPerUser: 1000 },
    now: NOW,
    ...over,
  };
}
