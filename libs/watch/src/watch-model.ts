import type { BuildDetail, BuildState, FarmEvent, JobId, JobState, JobView, StepView } from '#libs/contracts';
import { describeTransfer } from './describe-transfer.js';
import { describeEnd, jobLabels } from './job-wording.js';
import {
  jobsByVariant,
  optionalVariants,
  variantStandings,
  type VariantStanding,
} from './variant-standing.js';

/** What a watcher knows: the newest view of the build, and what only events tell. */
export interface WatchModel {
  readonly build: BuildDetail;
  /** The newest thing that should not have happened. */
  readonly warning: { readonly at: number; readonly text: string } | null;
  /** What jobs fetch from other agents, in words. */
  readonly transfers: ReadonlyMap<JobId, string>;
  /** Why events do not come in just now; `null` while they do. */
  readonly lost: string | null;
}

export type StepMark = 'done' | 'running' | 'failed' | 'interrupted' | 'paused' | 'waiting';

export interface WatchRow {
  readonly label: string;
  readonly state: JobState;
  /** The build can succeed without it. */
  readonly isOptional: boolean;
  readonly agent: string | null;
  readonly marks: readonly StepMark[];
  /** The step that runs now. */
  readonly running: {
    readonly name: string;
    readonly message: string;
    readonly since: number;
    readonly usualMs: number | null;
  } | null;
  /** Why nothing runs, or what the agent does beside steps; empty when there is nothing to say. */
  readonly remark: string;
}

export interface WatchView {
  readonly name: string;
  readonly id: string;
  readonly state: BuildState;
  /** What was asked for and is not reached yet. */
  readonly wish: 'pause' | 'cancel' | null;
  readonly since: number;
  readonly endedAt: number | null;
  readonly steps: { readonly total: number; readonly done: number };
  readonly variants: readonly VariantStanding[];
  readonly rows: readonly WatchRow[];
  readonly warning: WatchModel['warning'];
  readonly lost: string | null;
}

export function startModel(build: BuildDetail): WatchModel {
  return { build, warning: null, transfers: new Map(), lost: null };
}

/** A newer view replaces the older one; an answer that overtook another is not taken. */
export function withBuild(model: WatchModel, build: BuildDetail): WatchModel {
  return build.eventSeq < model.build.eventSeq ? model : { ...model, build };
}

/** What the view of the build itself will not show. All else follows from the next view. */
export function withEvent(model: WatchModel, event: FarmEvent): WatchModel {
  const text = describeWarning(model.build, event);
  if (text !== null) return { ...model, warning: { at: event.at, text } };
  const transfer = event.type === 'transfer-progress' ? describeTransfer(event.data) : null;
  return event.job === null || transfer === null
    ? model
    : { ...model, transfers: new Map([...model.transfers, [event.job, transfer]]) };
}

export function withConnection(model: WatchModel, lost: string | null): WatchModel {
  return { ...model, lost };
}

/** `null` for events that are no warning. */
export function describeWarning(build: BuildDetail, event: FarmEvent): string | null {
  const text = warningOf(event);
  if (text === null) return null;
  // Only now: a build may have thousands of jobs, and events come by the hundred.
  const label = event.job === null ? '' : (jobLabels(build).get(event.job) ?? '');
  return label === '' ? text : `${label}: ${text}`;
}

function warningOf({ type, data }: FarmEvent): string | null {
  const words = wordsOf(data);
  const more = words === '' ? '' : `: ${words}`;
  if (type === 'warning') return words || 'warning';
  if (type === 'job-retried') return `tried again${more}`;
  if (type === 'job-handed-over') return `goes on elsewhere${more}`;
  if (type === 'agent-lost') return `agent lost${more}`;
  if (type === 'stale-report') return 'a report of an attempt that lost its job was refused';
  return null;
}

/** Events carry their words under one of these names. */
function wordsOf(data: FarmEvent['data']): string {
  const found = ['text', 'reason', 'message', 'why']
    .map((name) => data[name])
    .find((value) => typeof value === 'string');
  return typeof found === 'string' ? found : '';
}

/** What the rows of all jobs are made of, found once: a build may have thousands. */
interface Sight {
  readonly build: BuildDetail;
  readonly labels: ReadonlyMap<JobId, string>;
  readonly siblings: ReadonlyMap<string, readonly JobView[]>;
  readonly optional: ReadonlySet<string>;
}

export function viewOf(model: WatchModel): WatchView {
  return { ...headOf(model), rows: rowsOf(model) };
}

/** Rows of these jobs, of all where it is not said. */
export function rowsOf(
  { build, transfers }: Pick<WatchModel, 'build' | 'transfers'>,
  jobs: readonly JobView[] = build.jobs,
): readonly WatchRow[] {
  const sight: Sight = {
    build,
    labels: jobLabels(build),
    siblings: jobsByVariant(build),
    optional: optionalVariants(build),
  };
  return jobs.map((job) => rowOf(sight, job, transfers.get(job.id)));
}

/** All but the rows. */
export function headOf({ build, warning, lost }: WatchModel): Omit<WatchView, 'rows'> {
  return {
    name: build.name,
    id: build.id,
    state: build.state,
    wish: pendingWish(build),
    since: build.startedAt ?? build.createdAt,
    endedAt: build.endedAt,
    steps: build.steps,
    variants: variantStandings(build),
    warning,
    lost,
  };
}

function pendingWish({ wish, state }: BuildDetail): WatchView['wish'] {
  const open = state === 'running' || state === 'waiting';
  return open && wish !== 'run' ? wish : null;
}

function rowOf(sight: Sight, job: JobView, transfer: string | undefined): WatchRow {
  const { build, labels, optional } = sight;
  const running = job.state === 'running' ? job.steps.find(({ state }) => state === 'running') : undefined;
  const holder = job.state === 'assigned' || job.state === 'running' ? job.attempts.at(-1) : undefined;
  return {
    label: labels.get(job.id) ?? job.lane,
    state: job.state,
    isOptional: optional.has(job.variant),
    agent: holder?.agentName ?? null,
    marks: marksOf(build, job),
    running:
      running === undefined
        ? null
        : {
            name: running.name,
            message: running.message,
            since: running.startedAt ?? build.createdAt,
            usualMs: running.usualMs,
          },
    remark: remarkOn(sight, job, transfer),
  };
}

function marksOf(build: BuildDetail, job: JobView): readonly StepMark[] {
  // The boundary a paused job stands at is in front of the first step that has not succeeded.
  const next = job.steps.findIndex(({ state }) => state !== 'succeeded');
  return job.steps.map((step, index) => {
    const pausedHere = job.state === 'paused' ? index === next : step.name === build.pauseBefore;
    return markOf(step, pausedHere);
  });
}

function markOf({ state }: StepView, pausedHere: boolean): StepMark {
  switch (state) {
    case 'succeeded':
      return 'done';
    case 'running':
    case 'failed':
    case 'interrupted':
      return state;
    case 'waiting':
      return pausedHere ? 'paused' : 'waiting';
  }
}

function remarkOn(sight: Sight, job: JobView, transfer = 'fetches its inputs'): string {
  const last = job.attempts.at(-1);
  switch (job.state) {
    case 'blocked':
      return job.waitingReason || `waits for ${needed(sight, job)}`;
    case 'waiting':
      return job.waitingReason;
    case 'succeeded':
      return describeReuse(job);
    case 'assigned':
      return '';
    case 'running':
      return last?.phase === 'fetching'
        ? transfer
        : last?.phase === 'publishing'
          ? 'publishes its outputs'
          : '';
    case 'paused':
    case 'failed':
    case 'cancelled':
      return last?.end == null ? job.waitingReason : describeEnd(last.end, job);
  }
}

/** `as in b-…`, `2 of 5 steps as in b-…`; empty where all of it ran. */
function describeReuse({ steps }: JobView): string {
  const reused = steps.flatMap(({ reusedFrom }) => reusedFrom ?? []);
  if (reused.length === 0) return '';
  const count = reused.length === steps.length ? '' : `${reused.length} of ${steps.length} steps `;
  return `${count}as in ${[...new Set(reused)].join(', ')}`;
}

function needed({ labels, siblings }: Sight, job: JobView): string {
  const open = (siblings.get(job.variant) ?? []).filter(
    (other) => job.needs.includes(other.index) && other.state !== 'succeeded',
  );
  return open.map(({ id }) => labels.get(id) ?? '').join(', ') || 'another job';
}
