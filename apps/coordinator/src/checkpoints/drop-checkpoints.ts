import { Injectable } from '@nestjs/common';
import { FarmError, type DropReport } from '#libs/contracts';
import { appendAudit, type AgentRow, type BuildRow } from '#libs/store';
import type { Caller } from '../access/caller.js';
import { dropCheckpoints, type Drop } from '../decide/drop-checkpoints.js';
import { CollectCheckpoints } from '../loops/collect-checkpoints.js';
import { Work } from '../work.js';

export interface DropScope {
  readonly build: BuildRow;
  readonly variant: string | null;
  readonly agent: AgentRow | null;
}

/** Checkpoints that go because a person says so. */
@Injectable()
export class DropCheckpoints {
  constructor(
    private readonly collecting: CollectCheckpoints,
    private readonly work: Work,
  ) {}

  /** What `drop` would do now. */
  async plan(scope: DropScope, user: string): Promise<DropReport> {
    const { drop, nameOf } = await this.#decide(scope, `${user} says so`);
    return reportOf(drop, nameOf);
  }

  /** Throws NOT_FOUND when nothing of it is held, and CONFLICT when all of it stays. */
  async drop(scope: DropScope, why: string, caller: Caller): Promise<DropReport> {
    const { drop, nameOf } = await this.#decide(scope, `${caller.user} says so: ${why}`);
    if (drop.removals.length === 0) throw nothingGoes(drop, nameOf);
    const removals = await this.collecting.remove(drop.removals);
    const late = drop.removals
      .filter((each) => !removals.includes(each))
      .map((each) => ({ ...each, why: 'it has come into use, or was pinned, just now' }));
    await this.work.change(async (tx, _, now) => {
      await appendAudit(tx, now, {
        ...{ user: caller.user, tokenId: caller.token, action: 'checkpoints.drop', why },
        target: scope.build.id,
        data: {
          removed: removals.map(({ agent, build, variant }) => `${build}.${variant} on ${agent}`),
        },
      });
    });
    return reportOf({ removals, refused: [...drop.refused, ...late] }, nameOf);
  }

  async #decide({ build, variant, agent }: DropScope, why: string) {
    const { order, builds, agents } = await this.collecting.held();
    const names = new Map<string, string>(agents.map(({ id, name }) => [id, name]));
    const nameOf = (id: string): string => names.get(id) ?? id;
    const wanted = { build: build.id, variant, agent: agent?.id ?? null };
    const drop = dropCheckpoints(order, builds, wanted, why);
    if (drop.removals.length + drop.refused.length > 0) return { drop, nameOf };
    throw new FarmError(
      'NOT_FOUND',
      `nothing is held of ${variant === null ? '' : `variant "${variant}" of `}build ${build.id}${agent === null ? '' : ` on ${agent.name}`}`,
      `distrofarm checkpoints usage --build ${build.id} shows what is held.`,
    );
  }
}

function reportOf({ removals, refused }: Drop, nameOf: (agent: string) => string): DropReport {
  return {
    removals: removals.map((each) => ({ ...each, agentName: nameOf(each.agent) })),
    refused: refused.map(({ agent, build, variant, why }) => {
      return { agent, agentName: nameOf(agent), build, variant, why };
    }),
  };
}

function nothingGoes({ refused }: Drop, nameOf: (agent: string) => string): FarmError {
  return new FarmError(
    'CONFLICT',
    'nothing of it can be dropped now',
    null,
    refused.map(({ agent, build, variant, why }) => `${build}.${variant} on ${nameOf(agent)}: ${why}`),
  );
}
