import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import {
  AreaList,
  CheckpointDiff,
  CheckpointList,
  CheckpointPinList,
  CheckpointTrie,
  CollectNow,
  CollectionReport,
  DropCheckpoints as Dropping,
  DropReport,
  FarmError,
  MOST_FILE_CHANGES,
  PinCheckpoints as Pinning,
  TrieNodeDetail,
  TrieNodeId,
} from '#libs/contracts';
import { appendAudit, type CheckpointFilter, type TriePlace } from '#libs/store';
import { Needs, requireMayChange, TheCaller, type Caller } from '../access/caller.js';
import { AgentViews } from '../agents/agent-views.js';
import { BuildViews } from '../builds/build-views.js';
import { CompareCheckpoints } from '../checkpoints/compare-checkpoints.js';
import { CheckpointViews } from '../checkpoints/checkpoint-views.js';
import { DropCheckpoints } from '../checkpoints/drop-checkpoints.js';
import { PinCheckpoints } from '../checkpoints/pin-checkpoints.js';
import { TrieViews } from '../checkpoints/trie-views.js';
import { CollectCheckpoints } from '../loops/collect-checkpoints.js';
import { Work } from '../work.js';

/** What agents hold, and what goes. */
@ApiTags('checkpoints')
@ApiBearerAuth()
@Controller('api/v1/checkpoints')
export class CheckpointsController {
  constructor(
    private readonly views: CheckpointViews,
    private readonly builds: BuildViews,
    private readonly agents: AgentViews,
    private readonly trie: TrieViews,
    private readonly pins: PinCheckpoints,
    private readonly comparing: CompareCheckpoints,
    private readonly dropping: DropCheckpoints,
    private readonly collecting: CollectCheckpoints,
    private readonly work: Work,
  ) {}

  @Get()
  @ApiOkResponse({ standardSchema: CheckpointList })
  async list(
    @Query('build') build: string | undefined,
    @Query('agent') agent: string | undefined,
  ): Promise<z.infer<typeof CheckpointList>> {
    return { checkpoints: await this.views.list(await this.#filter(build, agent)) };
  }

  /** The same by what can go by itself, with its size. */
  @Get('areas')
  @ApiOkResponse({ standardSchema: AreaList })
  async areas(
    @Query('build') build: string | undefined,
    @Query('agent') agent: string | undefined,
  ): Promise<AreaList> {
    return await this.views.areas(await this.#filter(build, agent));
  }

  /** What is not the same in two states. It waits for no agent: as long as one has to say what is in a state, the answer says that, and which. */
  @Get('diff')
  @ApiOkResponse({ standardSchema: CheckpointDiff })
  async diff(
    @Query('from') from: string | undefined,
    @Query('to') to: string | undefined,
    @Query('path') path: string | undefined,
    @Query('offset') offset: string | undefined,
    @Query('limit') limit: string | undefined,
  ): Promise<CheckpointDiff> {
    return await this.comparing.compare(referenceOf('from', from), referenceOf('to', to), {
      path: textOf('path', path ?? '', 1000),
      offset: offset === undefined ? 0 : countOf('offset', offset),
      limit: Math.min(limit === undefined ? 500 : countOf('limit', limit), MOST_FILE_CHANGES),
    });
  }

  /** The same as a trie, by level: what equals each other is there once, below what it comes from. */
  @Get('trie')
  @ApiOkResponse({ standardSchema: CheckpointTrie })
  async levels(
    @Query('parent') parent: string | undefined,
    @Query('after') after: string | undefined,
    @Query('build') build: string | undefined,
    @Query('agent') agent: string | undefined,
    @Query('distribution') distribution: string | undefined,
  ): Promise<CheckpointTrie> {
    return await this.trie.levels({
      parent: parent === undefined ? null : nodeOf(parent),
      after: after === undefined ? null : placeOf(after),
      filter: { ...(await this.#filter(build, agent)), distribution },
    });
  }

  @Get('trie/:node')
  @ApiOkResponse({ standardSchema: TrieNodeDetail })
  async node(@Param('node') node: string): Promise<TrieNodeDetail> {
    return await this.trie.detail(nodeOf(node));
  }

  @Get('pins')
  @ApiOkResponse({ standardSchema: CheckpointPinList })
  async listPins(): Promise<CheckpointPinList> {
    return await this.pins.list();
  }

  @Post(':build/pin')
  @HttpCode(200)
  @Needs('submitter')
  @ApiOkResponse({ standardSchema: CheckpointPinList })
  async pin(
    @Param('build') reference: string,
    @Body({ schema: Pinning }) body: z.output<typeof Pinning>,
    @TheCaller() caller: Caller,
  ): Promise<CheckpointPinList> {
    const build = await this.builds.resolve(reference);
    requireMayChange(caller, build);
    return await this.pins.pin(build.id, body, caller);
  }

  @Post(':build/unpin')
  @HttpCode(200)
  @Needs('submitter')
  @ApiOkResponse({ standardSchema: CheckpointPinList })
  async unpin(
    @Param('build') reference: string,
    @Body({ schema: Pinning }) body: z.output<typeof Pinning>,
    @TheCaller() caller: Caller,
  ): Promise<CheckpointPinList> {
    const build = await this.builds.resolve(reference);
    requireMayChange(caller, build);
    return await this.pins.unpin(build.id, body, caller);
  }

  /** What collecting would remove now. */
  @Get('collection')
  @ApiOkResponse({ standardSchema: CollectionReport })
  async plan(
    @Query('agent') agent: string | undefined,
    @Query('free') free: string | undefined,
  ): Promise<CollectionReport> {
    const scope = {
      agent: agent === undefined ? undefined : await this.agents.resolve(agent),
      freeBytes: free === undefined ? undefined : countOf('free', free),
    };
    return await this.views.report(await this.collecting.plan(scope));
  }

  @Post('collect')
  @HttpCode(200)
  @Needs('operator')
  @ApiOkResponse({ standardSchema: CollectionReport })
  async collect(
    @Body({ schema: CollectNow }) { agent, freeBytes, why }: z.output<typeof CollectNow>,
    @TheCaller() caller: Caller,
  ): Promise<CollectionReport> {
    const only = agent === null ? undefined : await this.agents.resolve(agent);
    const collection = await this.collecting.collect({ agent: only, freeBytes: freeBytes ?? undefined });
    await this.work.change(async (tx, _, now) => {
      const removed = collection.removals.map(
        ({ agent: on, build, variant }) => `${build}.${variant} on ${on}`,
      );
      await appendAudit(tx, now, {
        ...{ user: caller.user, tokenId: caller.token, action: 'checkpoints.collect', why },
        target: only?.name ?? '',
        data: { freeBytes, removed },
      });
    });
    return await this.views.report(collection);
  }

  /** What dropping would remove now, and what it would leave. */
  @Get('drop')
  @ApiOkResponse({ standardSchema: DropReport })
  async planDrop(
    @Query('build') build: string | undefined,
    @Query('variant') variant: string | undefined,
    @Query('agent') agent: string | undefined,
    @TheCaller() caller: Caller,
  ): Promise<DropReport> {
    if (build === undefined) throw new FarmError('INVALID', 'build: expected the build to drop from');
    return await this.dropping.plan(
      await this.#dropScope(build, variant ?? null, agent ?? null),
      caller.user,
    );
  }

  @Post('drop')
  @HttpCode(200)
  @Needs('operator')
  @ApiOkResponse({ standardSchema: DropReport })
  async drop(
    @Body({ schema: Dropping }) { build, variant, agent, why }: z.output<typeof Dropping>,
    @TheCaller() caller: Caller,
  ): Promise<DropReport> {
    return await this.dropping.drop(await this.#dropScope(build, variant, agent), why, caller);
  }

  async #dropScope(build: string, variant: string | null, agent: string | null) {
    return {
      build: await this.builds.resolve(build),
      variant,
      agent: agent === null ? null : await this.agents.resolve(agent),
    };
  }

  async #filter(build: string | undefined, agent: string | undefined): Promise<CheckpointFilter> {
    return {
      build: build === undefined ? undefined : (await this.builds.resolve(build)).id,
      agent: agent === undefined ? undefined : (await this.agents.resolve(agent)).id,
    };
  }
}

function countOf(parameter: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new FarmError('INVALID', `${parameter}: found "${text.slice(0, 50)}", expected a count`);
}

function referenceOf(parameter: string, text: string | undefined): string {
  if (text !== undefined && text !== '') return textOf(parameter, text, 500);
  throw new FarmError(
    'INVALID',
    `${parameter}: found nothing, expected a checkpoint`,
    'distrofarm checkpoints list shows their ids.',
  );
}

/** A parameter that comes twice is no text. */
function textOf(parameter: string, text: unknown, most: number): string {
  if (typeof text === 'string' && text.length <= most) return text;
  throw new FarmError('INVALID', `${parameter}: expected one text of at most ${most} characters`);
}

function nodeOf(text: string): TrieNodeId {
  const node = TrieNodeId.safeParse(text);
  if (node.success) return node.data;
  throw new FarmError('INVALID', `node: found "${text.slice(0, 80)}", expected a step key or a build`);
}

/** As `next` of a level says it. */
function placeOf(text: string): TriePlace {
  const [, newestAt, id] = /^(\d{1,15})\.([A-Za-z0-9_-]{1,64})$/.exec(text) ?? [];
  if (id !== undefined) return { newestAt: Number(newestAt), id };
  throw new FarmError('INVALID', `after: found "${text.slice(0, 80)}", expected the next of a level`);
}
