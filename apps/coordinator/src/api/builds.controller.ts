import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import {
  BuildChanges,
  BuildDetail,
  BuildPage,
  BuildReads,
  CancelBuild,
  Explanation,
  FarmError,
  ListBuilds,
  PauseBuild,
  PlanPreview,
  ResumeBuild,
  SubmitBuild,
  SubmittedBuild,
  TakeoverList,
  type AcceptedSubmission,
} from '#libs/contracts';
import { Needs, requireMayChange, TheCaller, type Caller } from '../access/caller.js';
import { BuildActions } from '../builds/build-actions.js';
import { BuildViews } from '../builds/build-views.js';
import { ExplainBuild } from '../builds/explain-build.js';
import { ReadsOfBuild } from '../builds/reads-of-build.js';
import { PreviewBuild } from '../builds/preview-build.js';
import { SubmitBuilds } from '../builds/submit-builds.js';
import { TakeoversOfBuild } from '../builds/takeovers-of-build.js';
import { listBuildsQuery } from './list-builds-query.js';
import type { z } from 'zod';

@ApiTags('builds')
@ApiBearerAuth()
@Controller('api/v1/builds')
export class BuildsController {
  constructor(
    private readonly submissions: SubmitBuilds,
    private readonly previews: PreviewBuild,
    private readonly actions: BuildActions,
    private readonly views: BuildViews,
    private readonly explanations: ExplainBuild,
    private readonly takeoversOfBuild: TakeoversOfBuild,
    private readonly readsOfBuild: ReadsOfBuild,
  ) {}

  @Post()
  @Needs('submitter')
  @ApiOkResponse({ standardSchema: SubmittedBuild })
  async submit(
    @Body({ schema: SubmitBuild }) body: AcceptedSubmission,
    @TheCaller() caller: Caller,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SubmittedBuild> {
    const submitted = await this.submissions.submit(body, caller);
    response.status(submitted.created ? 201 : 200);
    return submitted;
  }

  @Post('plan')
  @HttpCode(200)
  @Needs('submitter')
  @ApiOkResponse({ standardSchema: PlanPreview })
  async plan(
    @Body({ schema: SubmitBuild }) body: AcceptedSubmission,
    @TheCaller() caller: Caller,
  ): Promise<PlanPreview> {
    return await this.previews.preview(body, caller);
  }

  @Get()
  @ApiOkResponse({ standardSchema: BuildPage })
  async list(@Query({ schema: listBuildsQuery }) query: ListBuilds): Promise<BuildPage> {
    return await this.views.list(query);
  }

  @Get(':build')
  @ApiOkResponse({ standardSchema: BuildDetail })
  async show(@Param('build') reference: string): Promise<BuildDetail> {
    return await this.views.detail((await this.views.resolve(reference)).id);
  }

  @Get(':build/changes')
  @ApiOkResponse({ standardSchema: BuildChanges })
  async changes(
    @Param('build') reference: string,
    @Query('since') since: string | undefined,
  ): Promise<BuildChanges> {
    const build = await this.views.resolve(reference);
    if (since === undefined || !/^\d{1,15}$/.test(since))
      throw new FarmError(
        'INVALID',
        `since: found "${since ?? ''}"; expected the eventSeq of an earlier view`,
      );
    return await this.views.changes(build.id, Number(since));
  }

  @Get(':build/explain')
  @ApiOkResponse({ standardSchema: Explanation })
  async explain(@Param('build') reference: string): Promise<Explanation> {
    return await this.explanations.explain(await this.views.resolve(reference));
  }

  @Get(':build/reads')
  @ApiOkResponse({ standardSchema: BuildReads })
  async reads(@Param('build') reference: string): Promise<BuildReads> {
    return await this.readsOfBuild.reads(await this.views.resolve(reference));
  }

  @Get(':build/takeovers')
  @ApiOkResponse({ standardSchema: TakeoverList })
  async takeovers(@Param('build') reference: string): Promise<TakeoverList> {
    return await this.takeoversOfBuild.list(await this.views.resolve(reference));
  }

  @Post(':build/pause')
  @HttpCode(200)
  @Needs('submitter')
  @ApiOkResponse({ standardSchema: BuildDetail })
  async pause(
    @Param('build') reference: string,
    @Body({ schema: PauseBuild }) body: z.output<typeof PauseBuild>,
    @TheCaller() caller: Caller,
  ): Promise<BuildDetail> {
    const build = await this.views.resolve(reference);
    requireMayChange(caller, build);
    await this.actions.pause(build.id, body, caller);
    return await this.views.detail(build.id);
  }

  @Post(':build/resume')
  @HttpCode(200)
  @Needs('submitter')
  @ApiOkResponse({ standardSchema: BuildDetail })
  async resume(
    @Param('build') reference: string,
    @Body({ schema: ResumeBuild }) body: z.output<typeof ResumeBuild>,
    @TheCaller() caller: Caller,
  ): Promise<BuildDetail> {
    const build = await this.views.resolve(reference);
    requireMayChange(caller, build);
    await this.actions.resume(build.id, body, caller);
    return await this.views.detail(build.id);
  }

  @Post(':build/cancel')
  @HttpCode(200)
  @Needs('submitter')
  @ApiOkResponse({ standardSchema: BuildDetail })
  async cancel(
    @Param('build') reference: string,
    @Body({ schema: CancelBuild }) body: z.output<typeof CancelBuild>,
    @TheCaller() caller: Caller,
  ): Promise<BuildDetail> {
    const build = await this.views.resolve(reference);
    requireMayChange(caller, build);
    await this.actions.cancel(build.id, body, caller);
    return await this.views.detail(build.id);
  }
}
