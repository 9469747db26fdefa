import { Injectable } from '@nestjs/common';
import type { AreaList, CheckpointView, CollectionReport } from '#libs/contracts';
import { listAgents, listCheckpointPins, listCheckpoints, type CheckpointFilter } from '#libs/store';
import { laneOf } from '../builds/lane-of.js';
import type { CheckpointCollection } from '../decide/collect-checkpoints.js';
import { CollectCheckpoints } from '../loops/collect-checkpoints.js';
import { Store } from '../store.js';

/** What agents hold, as the API shows it. */
@Injectable()
export class CheckpointViews {
  constructor(
    private readonly store: Store,
    private readonly collecting: CollectCheckpoints,
  ) {}

  async list(filter: CheckpointFilter): Promise<CheckpointView[]> {
    const { db } = this.store;
    const rows = await listCheckpoints(db, filter);
    const nameOf = await this.#names();
    const pins = new Set(
      (await listCheckpointPins(db)).map(({ build, variant }) => `${build} ${variant ?? ''}`),
    );
    return rows.map((row) => ({
      id: row.id,
      agent: row.agentId,
      agentName: nameOf(row.agentId),
      build: row.buildId,
      variant: row.variant,
      lane: laneOf(row.workspace),
      label: row.label,
      before: row.label.startsWith('.step_') ? row.label.slice('.step_'.length) : null,
      takenAt: row.takenAt,
      pinned: pins.has(`${row.buildId} `) || pins.has(`${row.buildId} ${row.variant}`),
    }));
  }

  async areas({ agent, build }: CheckpointFilter): Promise<AreaList> {
    const { order, agents, builds } = await this.collecting.held();
    const names = new Map(agents.map(({ id, name }) => [id, name]));
    const distributions = new Map(builds.map(({ id, name }) => [id, name]));
    const wanted = order.filter(
      ({ area }) =>
        (agent === undefined || area.agent === agent) && (build === undefined || area.build === build),
    );
    const areas = wanted.map(({ area, as }) => ({
      agent: area.agent,
      agentName: names.get(area.agent) ?? area.agent,
      build: area.build,
      variant: area.variant,
      name: distributions.get(area.build) ?? '',
      checkpoints: area.checkpoints,
      newestAt: area.newestAt,
      usedBytes: area.usedBytes,
      as,
      inUse: area.isInUse,
      going: area.isGoing,
      pinned: area.isPinned,
    }));
    return { areas };
  }

  async report({ removals, shortages }: CheckpointCollection): Promise<CollectionReport> {
    const nameOf = await this.#names();
    return {
      removals: removals.map((removal) => ({ ...removal, agentName: nameOf(removal.agent) })),
      shortages: shortages.map((shortage) => ({
        ...shortage,
        agentName: shortage.agent === null ? null : nameOf(shortage.agent),
      })),
    };
  }

  async #names(): Promise<(agent: string) => string> {
    const names = new Map<string, string>(
      (await listAgents(this.store.db)).map(({ id, name }) => [id, name]),
    );
    return (agent) => names.get(agent) ?? agent;
  }
}
