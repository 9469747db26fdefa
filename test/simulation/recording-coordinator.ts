import type { JobRow } from '#libs/store';
import type { ModelCoordinator } from './model-coordinator.js';

type Method =
  | 'forget'
  | 'hello'
  | 'heartbeat'
  | 'takeOverdue'
  | 'take'
  | 'report'
  | 'schedule'
  | 'unsent'
  | 'resend'
  | 'findLost'
  | 'pause'
  | 'resume'
  | 'cancel';

/** A call of the coordinator, its answer, and what was on record then. */
export type Call = {
  readonly [M in Method]: {
    readonly method: M;
    readonly args: Parameters<ModelCoordinator[M]>;
    readonly answer: ReturnType<ModelCoordinator[M]>;
    readonly record: RecordText;
  };
}[Method];

/** Each line of it one row. */
export type RecordText = readonly string[];

/** Keeps what the coordinator was asked, and what it answered. */
export function recordCalls(coordinator: ModelCoordinator, calls: Call[]): ModelCoordinator {
  let depth = 0;
  const methods: readonly Method[] = [
    'forget',
    'hello',
    'heartbeat',
    'takeOverdue',
    'take',
    'report',
    'schedule',
    'unsent',
    'resend',
    'findLost',
    'pause',
    'resume',
    'cancel',
  ];
  for (const method of methods) {
    const original = coordinator[method].bind(coordinator) as (...args: unknown[]) => unknown;
    const recorded = (...args: unknown[]): unknown => {
      const kept = structuredClone(args);
      depth += 1;
      const answer = original(...args);
      depth -= 1;
      const call = { method, args: kept, answer: structuredClone(answer), record: textOfModel(coordinator) };
      if (depth === 0) calls.push(call as unknown as Call);
      return answer;
    };
    Object.defineProperty(coordinator, method, { value: recorded });
  }
  return coordinator;
}

/** The model's record, as `textOfRecord` writes the real one. */
export function textOfModel({
  build,
  jobs,
  steps,
  attempts,
  checkpoints,
  outputs,
  outbox,
  agents,
}: ModelCoordinator): RecordText {
  return [
    line('build', build.state, build.wish, build.pauseBefore),
    ...jobs.map((job) => lineOfJob(job, job.waitingSince)),
    ...steps.map(({ index, state, attempt }) => line('step', index, state, attempt)),
    ...[...attempts.values()].map(({ id, agent, state, leaseUntil, lastSeq, lineage, end }) =>
      line('attempt', id, agent, state, leaseUntil, lastSeq, lineage, end?.kind ?? null),
    ),
    ...checkpoints.map(({ agent, id, lineage }) => line('checkpoint', agent, id, lineage)),
    ...[...outputs].map(([key, { attempt, sha256 }]) => line('output', key, attempt, sha256)),
    ...[...outbox].map(([attempt, { sentAt }]) => line('message', attempt, sentAt)),
    ...[...agents.values()].map(({ id, instance, lastSeenAt, lostAt, failures, quarantinedUntil }) =>
      line('agent', id, instance, lastSeenAt, lostAt, failures, quarantinedUntil),
    ),
  ].toSorted();
}

export function line(...fields: readonly unknown[]): string {
  return fields.map((field) => JSON.stringify(field)).join(' ');
}

/** Of the model's job or the record's. */
export function lineOfJob(
  job: Pick<
    JobRow,
    'index' | 'state' | 'end_checkpoint' | 'epoch' | 'generation' | 'ancestry' | 'retries' | 'avoid'
  >,
  waitingSince: number | null,
): string {
  const { index, state, end_checkpoint: end, epoch, generation, ancestry, retries, avoid } = job;
  return line('job', index, state, end, epoch, generation, ancestry, retries, avoid, waitingSince);
}
