import type { AgentId, BuildId } from '#libs/contracts';
import { nearestName } from '#libs/manifest';
import { laneOf } from '../builds/lane-of.js';
import { listed } from './amounts.js';

/** How people name a checkpoint: `b-12.de/iso@im-pop` is the state in front of the step, `@end` the one behind the last. */
export interface CheckpointName {
  readonly build: string;
  readonly variant: string | null;
  readonly lane: string | null;
  /** A step, `end`, or a label as it is. */
  readonly at: string;
}

/** `null`: it is no name; it may be an id. */
export function parseCheckpointName(text: string): CheckpointName | null {
  const match = /^([a-z0-9-]{1,20})(?:\.([^/@\s]{1,64}))?(?:\/([^@\s]{1,100}))?@(\S{1,200})$/.exec(text);
  if (match === null) return null;
  const [, build = '', variant = null, lane = null, at = ''] = match;
  return { build, variant, lane, at };
}

export interface NamedCheckpoint {
  readonly id: string;
  readonly agentId: AgentId;
  readonly buildId: BuildId;
  readonly variant: string;
  readonly workspace: string;
  readonly label: string;
  readonly takenAt: number;
}

export type FoundCheckpoint<C> =
  | { readonly kind: 'found'; readonly checkpoint: C }
  /** `hint` says what there is. */
  | { readonly kind: 'none'; readonly message: string; readonly hint: string };

/** The checkpoint of a build that a name means: the newest, where the job took it several times. Where no lane is named, the main one counts first. */
export function findCheckpoint<C extends NamedCheckpoint>(
  { variant, lane, at }: CheckpointName,
  build: BuildId,
  checkpoints: readonly C[],
): FoundCheckpoint<C> {
  const none = (message: string, hint: string): FoundCheckpoint<C> => ({ kind: 'none', message, hint });
  if (checkpoints.length === 0)
    return none(
      `no agent holds a checkpoint of build ${build}`,
      'distrofarm checkpoints list shows what there is.',
    );
  const variants = [...new Set(checkpoints.map((each) => each.variant))].toSorted();
  const [only] = variants;
  if (variant === null && variants.length > 1)
    return none(
      `build ${build} has checkpoints of ${variants.length} variants`,
      `Name one: ${build}.${only ?? ''}@${at}. There are ${listed(variants)}.`,
    );
  const chosen = variant ?? only ?? '';
  if (!variants.includes(chosen))
    return none(
      `no agent holds a checkpoint of variant "${chosen}" of build ${build}`,
      suggestion(chosen, variants),
    );
  const ofVariant = checkpoints.filter((each) => each.variant === chosen);
  const lanes = [...new Set(ofVariant.map((each) => laneOf(each.workspace)))].toSorted();
  if (lane !== null && !lanes.includes(lane))
    return none(
      `no agent holds a checkpoint of lane "${lane}" of ${build}.${chosen}`,
      suggestion(lane, lanes),
    );
  const ofLane = ofVariant.filter((each) => lane === null || laneOf(each.workspace) === lane);
  const matching = ofLane
    .filter((each) => isAt(each.label, at))
    .toSorted(
      (one, other) =>
        rank(one, at) - rank(other, at) || other.takenAt - one.takenAt || (one.id < other.id ? -1 : 1),
    );
  const [best] = matching;
  if (best !== undefined) return { kind: 'found', checkpoint: best };
  const steps = [...new Set(ofLane.map((each) => stepOf(each.label)))].toSorted();
  return none(`no agent holds a checkpoint "${at}" of ${build}.${chosen}`, suggestion(at, steps));
}

const STEP = '.step_';
const END = '.end_';

function isAt(label: string, at: string): boolean {
  return label === at || label === `${STEP}${at}` || (at === 'end' && label.startsWith(END));
}

/** What is named exactly comes first; then main, before its lanes. */
function rank({ label, workspace }: NamedCheckpoint, at: string): number {
  const isExact = label === at || label === `${STEP}${at}`;
  return (isExact ? 0 : 2) + (laneOf(workspace) === 'main' ? 0 : 1);
}

function stepOf(label: string): string {
  if (label.startsWith(STEP)) return label.slice(STEP.length);
  return label.startsWith(END) ? 'end' : label;
}

function suggestion(wanted: string, names: readonly string[]): string {
  const nearest = nearestName(wanted, names);
  return `${nearest === null ? '' : `Did you mean "${nearest}"? `}There are ${listed(names)}.`;
}
