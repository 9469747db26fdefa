import type { AttemptView, BuildDetail, JobView, Takeover } from '#libs/contracts';
import { describeEnd, describeTakeover, jobLabels } from '#libs/watch';
import type { Tone } from '../kit/state-looks.js';

/** One attempt on the line of its job. */
export interface TimelineBar {
  readonly attempt: AttemptView;
  /** Shares of the whole time, 0 to 1. */
  readonly from: number;
  readonly width: number;
  readonly tone: Tone;
  /** How it ended, or what it does. */
  readonly words: string;
  /** The agent it took over from, where that was another one. */
  readonly tookOverFrom: string | null;
}

/** A state on its way from the attempt that made it to the one that went on with it. */
export interface TimelineArrow {
  /** Shares of the whole time, 0 to 1. */
  readonly from: number;
  readonly to: number;
  /** `b, fetched from tank: 12.0 MB in 3.1s` */
  readonly words: string;
  /** The same with who made it and who went on. */
  readonly sentence: string;
}

export interface TimelineLine {
  readonly label: string;
  readonly bars: readonly TimelineBar[];
  readonly arrows: readonly TimelineArrow[];
}

export interface Timeline {
  /** Milliseconds since 1970. */
  readonly begin: number;
  readonly end: number;
  /** Of the jobs that were ever given to an agent. */
  readonly lines: readonly TimelineLine[];
}

/** `null` before the first attempt. */
export function timelineOf(
  build: BuildDetail,
  now: number,
  takeovers: readonly Takeover[] = [],
): Timeline | null {
  const attempts = build.jobs.flatMap((job) => job.attempts);
  if (attempts.length === 0) return null;
  const begin = Math.min(...attempts.map(({ assignedAt }) => assignedAt));
  const end = Math.max(begin + 1000, ...attempts.map(({ endedAt }) => endedAt ?? now));
  const labels = jobLabels(build);
  const lines = build.jobs
    .filter((job) => job.attempts.length > 0)
    .map((job) => ({
      label: labels.get(job.id) ?? job.lane,
      bars: job.attempts.map((attempt, index) => barOf(job, attempt, index, { begin, end, now })),
      arrows: takeovers
        .filter((takeover) => takeover.job === job.id)
        .map((takeover) => arrowOf(job, takeover, { begin, end })),
    }));
  return { begin, end, lines };
}

function barOf(
  job: JobView,
  attempt: AttemptView,
  index: number,
  { begin, end, now }: { readonly begin: number; readonly end: number; readonly now: number },
): TimelineBar {
  const before = job.attempts[index - 1];
  const span = end - begin;
  return {
    attempt,
    from: (attempt.assignedAt - begin) / span,
    width: Math.max(0, (attempt.endedAt ?? now) - attempt.assignedAt) / span,
    tone: toneOf(attempt),
    words: attempt.end === null ? (attempt.phase ?? attempt.state) : describeEnd(attempt.end, job),
    tookOverFrom: before !== undefined && before.agent !== attempt.agent ? before.agentName : null,
  };
}

function arrowOf(
  { attempts }: JobView,
  takeover: Takeover,
  { begin, end }: { readonly begin: number; readonly end: number },
): TimelineArrow {
  const share = (at: number): number => Math.min(1, Math.max(0, (at - begin) / (end - begin)));
  const nameOf = (id: AttemptView['id']): string => {
    const attempt = attempts.find((each) => each.id === id);
    return attempt === undefined ? 'an attempt' : `attempt ${attempt.number} on ${attempt.agentName}`;
  };
  const words = describeTakeover(takeover);
  return {
    from: share(takeover.madeAt),
    to: share(takeover.at),
    words,
    sentence: `${nameOf(takeover.to)} went on with what ${nameOf(takeover.from)} had made: ${words}`,
  };
}

function toneOf({ end }: AttemptView): Tone {
  switch (end?.kind) {
    case undefined:
      return 'busy';
    case 'succeeded':
      return 'good';
    case 'failed':
    case 'output':
    case 'infrastructure':
      return 'bad';
    case 'paused':
    case 'handed-over':
    case 'cancelled':
    case 'withdrawn':
      return 'held';
  }
}
