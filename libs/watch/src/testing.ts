import type { AttemptView, BuildDetail, BuildId, JobId, JobView, StepView } from '#libs/contracts';

/** Values as the API answers them, for specs: a whole one with what the test is about put in. */

export function buildOf(part: Partial<BuildDetail>): BuildDetail {
  return {
    id: 'b-0000000001' as BuildId,
    name: 'Live',
    state: 'running',
    wish: 'run',
    user: 'ada',
    priority: 'normal',
    note: '',
    variants: ['default'],
    createdAt: 0,
    startedAt: 1000,
    endedAt: null,
    steps: { total: 3, done: 0 },
    summary: '',
    manifestSha256: '0'.repeat(64),
    manifestPath: 'live.xml',
    sourceDateEpoch: 0,
    pauseBefore: null,
    replicas: 0,
    waitForReplicas: false,
    jobs: [],
    eventSeq: 0,
    ...part,
  };
}

export function jobOf(part: Partial<JobView>): JobView {
  return {
    id: 'j-0000000001' as JobId,
    variant: 'default',
    index: 0,
    lane: 'main',
    state: 'running',
    waitingReason: '',
    needs: [],
    retries: 0,
    steps: [],
    attempts: [],
    ...part,
  };
}

export function stepOf(part: Partial<StepView>): StepView {
  return {
    index: 0,
    name: 'im-pop',
    message: 'Populate the image',
    state: 'waiting',
    reusedFrom: null,
    startedAt: null,
    endedAt: null,
    outcome: null,
    attempt: null,
    agent: null,
    checkpoint: null,
    checkpointOn: [],
    usualMs: null,
    ...part,
  };
}

export function attemptOf(part: Partial<AttemptView>): AttemptView {
  return {
    id: 't-0000000001' as AttemptView['id'],
    job: 'j-0000000001' as JobId,
    number: 1,
    epoch: 1,
    state: 'running',
    agent: 'a-0000000001' as AttemptView['agent'],
    agentName: 'agent-a',
    assignedAt: 0,
    startedAt: 0,
    endedAt: null,
    end: null,
    phase: 'running',
    logBytes: 0,
    ...part,
  };
}
