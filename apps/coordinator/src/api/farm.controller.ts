import { Controller, Get, Header, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import type { z } from 'zod';
import { CheckpointList, Health, ReplicaLackList, WhoAmI } from '#libs/contracts';
import { FarmRedis } from '#libs/queue';
import { dutyHolder, listAgents, listCheckpoints } from '#libs/store';
import { Public, TheCaller, type Caller } from '../access/caller.js';
import { AgentViews } from '../agents/agent-views.js';
import { BuildViews } from '../builds/build-views.js';
import { laneOf } from '../builds/lane-of.js';
import { CoordinatorConfig } from '../config.js';
import { Metrics } from '../metrics.js';
import { Duty, SCHEDULE_DUTY } from '../scheduling/duty.js';
import { Replication } from '../scheduling/replication.js';
import { Store } from '../store.js';
import { VERSION } from '../version.js';

/** The farm as a whole. */
@ApiTags('farm')
@Controller('api/v1')
export class FarmController {
  constructor(
    private readonly store: Store,
    private readonly redis: FarmRedis,
    private readonly duty: Duty,
    private readonly config: CoordinatorConfig,
    private readonly builds: BuildViews,
    private readonly agents: AgentViews,
    private readonly metrics: Metrics,
    private readonly replication: Replication,
  ) {}

  @Get('health')
  @Public()
  @ApiOkResponse({ standardSchema: Health })
  async health(@Res({ passthrough: true }) response: Response): Promise<Health> {
    const database = await this.#databaseState();
    const redis = this.redis.isUp ? 'ok' : 'does not answer; nothing is handed out until it does';
    const isWell = database.state === 'ok' && this.redis.isUp;
    if (database.state !== 'ok') response.status(503);
    return {
      status: isWell ? 'ok' : 'degraded',
      version: VERSION,
      database: database.state,
      redis,
      scheduling: this.duty.since !== null,
      agents: database.agents,
    };
  }

  @Get('whoami')
  @ApiBearerAuth()
  @ApiOkResponse({ standardSchema: WhoAmI })
  whoAmI(@TheCaller() caller: Caller): WhoAmI {
    return {
      user: caller.user,
      role: caller.role,
      rights: [...caller.rights],
      farm: this.config.farm,
      version: VERSION,
    };
  }

  @Get('checkpoints')
  @ApiBearerAuth()
  @ApiOkResponse({ standardSchema: CheckpointList })
  async checkpoints(
    @Query('build') build: string | undefined,
    @Query('agent') agent: string | undefined,
  ): Promise<z.infer<typeof CheckpointList>> {
    const rows = await listCheckpoints(this.store.db, {
      build: build === undefined ? undefined : (await this.builds.resolve(build)).id,
      agent: agent === undefined ? undefined : (await this.agents.resolve(agent)).id,
    });
    const names = new Map((await listAgents(this.store.db)).map(({ id, name }) => [id, name]));
    const checkpoints = rows.map((row) => ({
      id: row.id,
      agent: row.agentId,
      agentName: names.get(row.agentId) ?? row.agentId,
      build: row.buildId,
      variant: row.variant,
      lane: laneOf(row.workspace),
      label: row.label,
      before: row.label.startsWith('.step_') ? row.label.slice('.step_'.length) : null,
      takenAt: row.takenAt,
    }));
    return { checkpoints };
  }

  /** Copies of checkpoints that builds want and that are not there. */
  @Get('replicas')
  @ApiBearerAuth()
  @ApiOkResponse({ standardSchema: ReplicaLackList })
  async lackingReplicas(): Promise<ReplicaLackList> {
    return await this.replication.lacking();
  }

  @Get('metrics')
  @ApiBearerAuth()
  @Header('Cache-Control', 'no-store')
  async metricsText(@Res() response: Response): Promise<void> {
    response.type(this.metrics.contentType).send(await this.metrics.text());
  }

  async #databaseState(): Promise<{ readonly state: string; readonly agents: number }> {
    try {
      await dutyHolder(this.store.db, SCHEDULE_DUTY);
      const agents = await listAgents(this.store.db);
      const there = agents.filter(
        (agent) => agent.revokedAt === null && agent.lostAt === null && agent.lastSeenAt !== null,
      );
      return { state: 'ok', agents: there.length };
    } catch {
      return { state: 'does not answer', agents: 0 };
    }
  }
}
