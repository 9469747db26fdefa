import { Controller, Get, Header, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { Health, ReplicaLackList, WhoAmI } from '#libs/contracts';
import { FarmRedis } from '#libs/queue';
import { dutyHolder, listAgents } from '#libs/store';
import { Public, TheCaller, type Caller } from '../access/caller.js';
import { CoordinatorConfig } from '../config.js';
import { Metrics } from '../metrics.js';
import { Duty, SCHEDULE_DUTY } from '../scheduling/duty.js';
import { Replication } from '../scheduling/replication.js';
import { Store } from '../store.js';
import { VERSION } from '../install.js';

/** The farm as a whole. */
@ApiTags('farm')
@Controller('api/v1')
export class FarmController {
  constructor(
    private readonly store: Store,
    private readonly redis: FarmRedis,
    private readonly duty: Duty,
    private readonly config: CoordinatorConfig,
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
