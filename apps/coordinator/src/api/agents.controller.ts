import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import {
  AgentHistory,
  AgentList,
  AgentView,
  CreateEnrolment,
  DrainAgent,
  Enrolment,
  PauseAgent,
  RevokeAgent,
  type AgentHistoryQuery,
} from '#libs/contracts';
import { Needs, TheCaller, type Caller } from '../access/caller.js';
import { AgentActions } from '../agents/agent-actions.js';
import { AgentHistories } from '../agents/agent-history.js';
import { AgentViews } from '../agents/agent-views.js';
import { agentHistoryQuery } from './agent-history-query.js';

@ApiTags('agents')
@ApiBearerAuth()
@Controller('api/v1/agents')
export class AgentsController {
  constructor(
    private readonly views: AgentViews,
    private readonly actions: AgentActions,
    private readonly histories: AgentHistories,
  ) {}

  @Get()
  @ApiOkResponse({ standardSchema: AgentList })
  async list(): Promise<z.infer<typeof AgentList>> {
    return { agents: [...(await this.views.list())] };
  }

  @Post('enrolments')
  @Needs('admin')
  @ApiOkResponse({ standardSchema: Enrolment })
  async enrol(
    @Body({ schema: CreateEnrolment }) body: z.output<typeof CreateEnrolment>,
    @TheCaller() caller: Caller,
  ): Promise<Enrolment> {
    return await this.actions.createEnrolment(body, caller);
  }

  @Get(':agent')
  @ApiOkResponse({ standardSchema: AgentView })
  async show(@Param('agent') reference: string): Promise<AgentView> {
    return await this.views.show(await this.views.resolve(reference));
  }

  /** Newest first. */
  @Get(':agent/history')
  @ApiOkResponse({ standardSchema: AgentHistory })
  async history(
    @Param('agent') reference: string,
    @Query({ schema: agentHistoryQuery }) query: AgentHistoryQuery,
  ): Promise<AgentHistory> {
    return await this.histories.page(await this.views.resolve(reference), query);
  }

  @Post(':agent/drain')
  @HttpCode(200)
  @Needs('operator')
  @ApiOkResponse({ standardSchema: AgentView })
  async drain(
    @Param('agent') reference: string,
    @Body({ schema: DrainAgent }) body: z.output<typeof DrainAgent>,
    @TheCaller() caller: Caller,
  ): Promise<AgentView> {
    return await this.actions.drain(await this.views.resolve(reference), body, caller);
  }

  @Post(':agent/undrain')
  @HttpCode(200)
  @Needs('operator')
  @ApiOkResponse({ standardSchema: AgentView })
  async undrain(@Param('agent') reference: string, @TheCaller() caller: Caller): Promise<AgentView> {
    return await this.actions.undrain(await this.views.resolve(reference), caller);
  }

  @Post(':agent/pause')
  @HttpCode(200)
  @Needs('operator')
  @ApiOkResponse({ standardSchema: AgentView })
  async pause(
    @Param('agent') reference: string,
    @Body({ schema: PauseAgent }) body: z.output<typeof PauseAgent>,
    @TheCaller() caller: Caller,
  ): Promise<AgentView> {
    return await this.actions.pause(await this.views.resolve(reference), body.why, body.untilSeconds, caller);
  }

  @Post(':agent/unpause')
  @HttpCode(200)
  @Needs('operator')
  @ApiOkResponse({ standardSchema: AgentView })
  async unpause(@Param('agent') reference: string, @TheCaller() caller: Caller): Promise<AgentView> {
    return await this.actions.unpause(await this.views.resolve(reference), caller);
  }

  @Post(':agent/revoke')
  @HttpCode(200)
  @Needs('admin')
  @ApiOkResponse({ standardSchema: AgentView })
  async revoke(
    @Param('agent') reference: string,
    @Body({ schema: RevokeAgent }) body: z.output<typeof RevokeAgent>,
    @TheCaller() caller: Caller,
  ): Promise<AgentView> {
    return await this.actions.revoke(await this.views.resolve(reference), body.why, caller);
  }
}
