import type { AgentId, BuildId } from '#libs/contracts';
import { humanSize } from './amounts.js';
import type { AgentSpace } from './collect-policy.js';

/** What an agent holds of a variant of a build that can still go on. */
export interface HeldArea {
  readonly agent: AgentId;
  readonly build: BuildId;
  readonly variant: string;
  /** The agent has a job of the build. */
  readonly isInUse: boolean;
  /** Ids of its checkpoints. */
  readonly checkpoints: readonly string[];
  /** When the newest of them was taken. */
  readonly newestAt: number;
}

export interface DroppedReplica {
  readonly agent: AgentId;
  readonly build: BuildId;
  readonly variant: string;
  /** One sentence, for the log and for people. */
  readonly why: string;
}

/**
 * Copies that agents short of space give up, one variant per agent and pass, the one that has not grown for the longest first: only what other agents hold all
 * of, and nothing where the agent works itself. An agent with an earlier drop on its way waits for the room that it makes.
 *
 * @param staying agents whose copies count: there, and not being emptied
 */
export function dropReplicas(
  agents: readonly AgentSpace[],
  areas: readonly HeldArea[],
  staying: ReadonlySet<AgentId>,
): readonly DroppedReplica[] {
  const holders = new Map<string, Set<AgentId>>();
  for (const { agent, checkpoints } of areas)
    for (const id of checkpoints) holders.set(id, (holders.get(id) ?? new Set()).add(agent));
  // Two agents must not each rely on the other's copy.
  const giveUp = (area: HeldArea): void =>
    area.checkpoints.forEach((id) => holders.get(id)?.delete(area.agent));
  const isElsewhere = ({ agent, checkpoints }: HeldArea): boolean =>
    checkpoints.every((id) =>
      [...(holders.get(id) ?? [])].some((each) => each !== agent && staying.has(each)),
    );
  return agents.flatMap((agent) => {
    if (agent.freeBytes >= agent.floorBytes || agent.isDropping) return [];
    const [oldest] = areas
      .filter((area) => area.agent === agent.id && !area.isInUse && isElsewhere(area))
      .toSorted(
        (a, b) => a.newestAt - b.newestAt || (`${a.build}.${a.variant}` < `${b.build}.${b.variant}` ? -1 : 1),
      );
    if (oldest === undefined) return [];
    giveUp(oldest);
    const { build, variant } = oldest;
    const why = `${agent.name} gives up its copy of ${variant}: it has ${humanSize(agent.freeBytes)} free, less than ${humanSize(agent.floorBytes)}`;
    return [{ agent: agent.id, build, variant, why }];
  });
}
