import type { BuildDetail, JobState, JobView } from '#libs/contracts';

export type VariantState = 'failed' | 'running' | 'paused' | 'cancelled' | 'waiting' | 'succeeded';

/** How far one variant of a build is, over all its jobs. */
export interface VariantStanding {
  readonly name: string;
  readonly isOptional: boolean;
  readonly state: VariantState;
  readonly steps: { readonly done: number; readonly total: number };
}

/** The first of these that one of its jobs is in: one that has failed will not succeed, whatever else of it still runs. */
const TELLING: readonly (readonly [JobState, VariantState])[] = [
  ['failed', 'failed'],
  ['running', 'running'],
  ['assigned', 'running'],
  ['paused', 'paused'],
  ['cancelled', 'cancelled'],
  ['waiting', 'waiting'],
  ['blocked', 'waiting'],
];

/** In the order of the build's variants. */
export function variantStandings(build: BuildDetail): readonly VariantStanding[] {
  const byVariant = jobsByVariant(build);
  const optional = optionalVariants(build);
  return build.variants.map((name) => standingOf(name, byVariant.get(name) ?? [], optional));
}

/** Of one variant, whose jobs these are. */
export function standingOf(
  name: string,
  jobs: readonly JobView[],
  optional: ReadonlySet<string>,
): VariantStanding {
  const states = new Set(jobs.map(({ state }) => state));
  const steps = jobs.flatMap((job) => job.steps);
  return {
    name,
    isOptional: optional.has(name),
    state: TELLING.find(([state]) => states.has(state))?.[1] ?? 'succeeded',
    steps: { done: steps.filter(({ state }) => state === 'succeeded').length, total: steps.length },
  };
}

/** Names of those without which the build can succeed. */
export function optionalVariants(build: Pick<BuildDetail, 'optionalVariants'>): ReadonlySet<string> {
  return new Set(build.optionalVariants ?? []);
}

export function jobsByVariant({ jobs }: Pick<BuildDetail, 'jobs'>): ReadonlyMap<string, readonly JobView[]> {
  const byVariant = new Map<string, JobView[]>();
  for (const job of jobs) {
    const sofar = byVariant.get(job.variant);
    if (sofar === undefined) byVariant.set(job.variant, [job]);
    else sofar.push(job);
  }
  return byVariant;
}

/** `8 variants: 1 failed (optional), 2 running, 5 waiting` */
export function describeStandings(standings: readonly VariantStanding[]): string {
  const order = TELLING.map(([, state]) => state);
  const counts = new Map<string, number>();
  for (const { state, isOptional: optional } of standings.toSorted(
    (a, b) => rank(order, a.state) - rank(order, b.state),
  )) {
    const words = state === 'failed' && optional ? 'failed (optional)' : state;
    counts.set(words, (counts.get(words) ?? 0) + 1);
  }
  return `${standings.length} variants: ${[...counts].map(([words, count]) => `${count} ${words}`).join(', ')}`;
}

/** What succeeded comes last. */
function rank(order: readonly VariantState[], state: VariantState): number {
  const at = order.indexOf(state);
  return at < 0 ? order.length : at;
}
