import type { AgentId } from '#libs/contracts';
import { abilityGaps } from './ability-gaps.js';
import { chooseRoom, roomOf, type AgentRoom, type Affinity } from './agent-room.js';
import type { CandidateAgent, PlacementInput, WaitingJob } from './placement-input.js';

/** Jobs that the same agents can run: what is found out for one of them holds for all. */
export interface RequirementClass {
  /** Any one of its jobs. */
  readonly sample: WaitingJob;
  readonly group: AbilityGroup;
  /** Ready, able by nature, and where the job must be; in the order of ids. `group.ready` itself where nothing binds the job. */
  readonly candidates: readonly AgentRoom[];
  /** Where it failed; empty when nobody else could run it: better there than nowhere. */
  readonly avoided: ReadonlySet<AgentId>;
  /** Some candidate had the space when the pass began. */
  readonly isMatched: boolean;
  /** No candidate has a slot and the space any more. In a pass both only shrink, so it stays so. */
  isSpent: boolean;
}

/** Agents whose architectures, labels and tools are enough for the jobs that ask for the same ones. */
export interface AbilityGroup {
  /** In the order of ids. */
  readonly ready: readonly AgentRoom[];
  /** The most that any of `ready` had when the pass began; -1 without any. */
  readonly mostFreeBytes: number;
  /** Of `ready`, nobody has a slot and this much space any more. */
  spentFromBytes: number;
}

/** Sorts jobs into their classes, and works out each class once. */
export class RequirementClasses {
  private readonly rooms: readonly AgentRoom[];
  private readonly roomById: ReadonlyMap<AgentId, AgentRoom>;
  private readonly byKey = new Map<string, RequirementClass>();
  private readonly groups = new Map<string, AbilityGroup>();

  constructor(private readonly input: Pick<PlacementInput, 'agents' | 'holders'>) {
    const ordered = [...input.agents].sort(compareIds);
    this.rooms = ordered.map(roomOf);
    this.roomById = new Map(this.rooms.map((room) => [room.agent.id, room]));
  }

  of(job: WaitingJob): RequirementClass {
    const abilities = abilityKey(job);
    const key = `${abilities} ${placeKey(job)}`;
    const known = this.byKey.get(key);
    if (known !== undefined) return known;
    const made = this.classOf(job, this.groupOf(job, abilities));
    this.byKey.set(key, made);
    return made;
  }

  private groupOf(job: WaitingJob, key: string): AbilityGroup {
    const known = this.groups.get(key);
    if (known !== undefined) return known;
    const ready = this.rooms.filter(
      ({ agent }) => agent.state === 'ready' && abilityGaps(agent, job.requires).length === 0,
    );
    const mostFreeBytes = ready.reduce((most, { agent }) => Math.max(most, agent.freeBytes), -1);
    const group: AbilityGroup = { ready, mostFreeBytes, spentFromBytes: Infinity };
    this.groups.set(key, group);
    return group;
  }

  private classOf(job: WaitingJob, group: AbilityGroup): RequirementClass {
    const bytes = job.requires.freeBytes;
    const candidates = this.candidatesFor(job, group);
    const isMatched =
      candidates === group.ready ? group.mostFreeBytes >= bytes : candidates.some(hadSpace(bytes));
    const avoid = new Set(job.avoid);
    const hasOther =
      avoid.size > 0 && candidates.some((room) => !avoid.has(room.agent.id) && hadSpace(bytes)(room));
    return {
      sample: job,
      group,
      candidates,
      avoided: hasOther ? avoid : new Set(),
      isMatched,
      isSpent: !isMatched,
    };
  }

  /** A bound job looks only where it may be, which is at few of a thousand agents. */
  private candidatesFor(job: WaitingJob, group: AbilityGroup): readonly AgentRoom[] {
    const holding = holdersOf(job, this.input.holders);
    if (job.onAgent === null && holding === null) return group.ready;
    const ids = job.onAgent === null ? (holding ?? []) : [job.onAgent];
    return ids
      .filter((id) => holding?.includes(id) ?? true)
      .flatMap((id) => this.roomById.get(id) ?? [])
      .filter(({ agent }) => agent.state === 'ready' && abilityGaps(agent, job.requires).length === 0)
      .sort((a, b) => compareIds(a.agent, b.agent));
  }
}

/** Agents that hold what the job cannot do without; `null` when it can be sent to any. */
export function holdersOf(job: WaitingJob, holders: PlacementInput['holders']): readonly AgentId[] | null {
  const { base } = job.wants;
  return base === null || base.published ? null : [...(holders.get(base.lineage)?.keys() ?? [])];
}

/** The agents that match a job of the class, whether or not they have a slot left. */
export function ableOf({ sample, candidates, avoided }: RequirementClass): readonly AgentRoom[] {
  const had = hadSpace(sample.requires.freeBytes);
  return candidates.filter((room) => had(room) && !avoided.has(room.agent.id));
}

/** Those that match too, and are left out. */
export function avoidedOf({ sample, candidates, avoided }: RequirementClass): readonly AgentRoom[] {
  const had = hadSpace(sample.requires.freeBytes);
  return avoided.size === 0 ? [] : candidates.filter((room) => had(room) && avoided.has(room.agent.id));
}

/** The best agent with a slot and the space, as `chooseRoom` has it; `undefined` when the class is spent. */
export function chooseOf(by: RequirementClass, affinity: Affinity): AgentRoom | undefined {
  const bytes = by.sample.requires.freeBytes;
  const isOpen = by.candidates === by.group.ready;
  if (by.isSpent || (isOpen && bytes >= by.group.spentFromBytes)) return undefined;
  const room = chooseRoom(by.candidates, bytes, affinity, by.avoided);
  if (room === undefined) {
    by.isSpent = true;
    if (isOpen && by.avoided.size === 0) by.group.spentFromBytes = bytes;
  }
  return room;
}

function hadSpace(bytes: number): (room: AgentRoom) => boolean {
  return ({ agent }) => agent.freeBytes >= bytes;
}

function compareIds(a: CandidateAgent, b: CandidateAgent): number {
  return a.id < b.id ? -1 : 1;
}

function abilityKey({ requires }: WaitingJob): string {
  return `${requires.architecture}|${sorted(requires.labels)}|${sorted(requires.tools)}`;
}

function placeKey(job: WaitingJob): string {
  const base = job.wants.base?.published === false ? job.wants.base.lineage : '';
  return `${job.requires.freeBytes}|${job.onAgent ?? ''}|${sorted(job.avoid)}|${base}`;
}

/** None of the words has a blank, comma or `|` in it: architectures, labels, tools and ids are names. */
function sorted(words: readonly string[]): string {
  return words.length < 2 ? words.join() : [...new Set(words)].sort().join();
}
