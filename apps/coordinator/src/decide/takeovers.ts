import type { AgentId, AttemptId, EventType, FarmEvent, JobId, Takeover } from '#libs/contracts';

/** What tells of states that attempts went on with, and of how these came. */
export const TAKEOVER_EVENTS: readonly EventType[] = [
  'resumed',
  'checkpoint-fetched',
  'checkpoint-replicated',
];

/** A job with its attempts, as far as takeovers are concerned. */
export interface TriedJob {
  readonly id: JobId;
  /** In the order of the plan. */
  readonly steps: readonly { readonly index: number; readonly name: string }[];
  readonly tries: readonly {
    readonly attempt: AttemptId;
    readonly agent: AgentId;
    readonly agentName: string;
    /** When it ended steps well, by index. */
    readonly ended: ReadonlyMap<number, number>;
  }[];
}

type Try = TriedJob['tries'][number];

/** @param events of TAKEOVER_EVENTS, of the job's build, in order */
export function takeoversOf(job: TriedJob, events: readonly FarmEvent[]): readonly Takeover[] {
  return events.flatMap((event) => {
    if (event.type !== 'resumed' || event.job !== job.id) return [];
    const to = job.tries.find(({ attempt }) => attempt === event.attempt);
    const position = job.steps.findIndex(({ name }) => name === event.data['step']);
    const [last, before] = [job.steps[position - 1], job.steps[position]];
    if (to === undefined || last === undefined || before === undefined) return [];
    const from = makerOf(job, last.index, event.at);
    if (from === null || from.agent === to.agent) return [];
    return [
      {
        job: job.id,
        from: from.attempt,
        madeAt: from.ended.get(last.index) ?? event.at,
        to: to.attempt,
        at: event.at,
        before: before.name,
        carried: carriedTo(to, event, events),
      },
    ];
  });
}

/** Who ended the step last by then. */
function makerOf({ tries }: TriedJob, step: number, by: number): Try | null {
  const made = tries.filter(({ ended }) => (ended.get(step) ?? Infinity) <= by);
  return made.toSorted((a, b) => (a.ended.get(step) ?? 0) - (b.ended.get(step) ?? 0)).at(-1) ?? null;
}

function carriedTo(to: Try, resumed: FarmEvent, events: readonly FarmEvent[]): Takeover['carried'] {
  const until = events.filter(({ seq }) => seq < resumed.seq);
  const fetched = until.filter(
    ({ type, attempt }) => type === 'checkpoint-fetched' && attempt === to.attempt,
  );
  const [copied] = until
    .filter(
      ({ type, data }) =>
        type === 'checkpoint-replicated' &&
        data['checkpoint'] === resumed.data['checkpoint'] &&
        data['to'] === to.agentName,
    )
    .slice(-1);
  // A state is what is new in it and all in front of it: each checkpoint that had to come is part of the price.
  if (fetched.length > 0) return { how: 'fetched', ...sumOf(fetched) };
  return copied === undefined ? null : { how: 'copied', ...sumOf([copied]) };
}

function sumOf(transfers: readonly FarmEvent[]): { source: string; bytes: number; ms: number } {
  const sum = (name: string): number =>
    transfers.reduce((all, { data }) => all + (typeof data[name] === 'number' ? data[name] : 0), 0);
  const source = transfers.at(-1)?.data['from'];
  return { source: typeof source === 'string' ? source : '', bytes: sum('bytes'), ms: Math.round(sum('ms')) };
}
