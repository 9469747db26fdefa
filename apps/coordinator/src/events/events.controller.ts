import { Controller, Get, Headers, Param, Query, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { EventPage, FarmError, type BuildId, type FarmEvent } from '#libs/contracts';
import { lastEventSeq, readEvents } from '#libs/store';
import { TheCaller, type Caller } from '../access/caller.js';
import { LastingAccess } from '../access/lasting-access.js';
import { BuildViews } from '../builds/build-views.js';
import { Clock, Store } from '../store.js';
import { EventFeed } from './event-feed.js';
import { EventStream } from './event-stream.js';

const PAGE = 1000;

/** The event sequence: as server-sent events for who accepts them, else a page of JSON. */
@ApiTags('events')
@ApiBearerAuth()
@Controller('api/v1')
export class EventsController {
  constructor(
    private readonly feed: EventFeed,
    private readonly views: BuildViews,
    private readonly store: Store,
    private readonly clock: Clock,
  ) {}

  @Get('events')
  @ApiOkResponse({ standardSchema: EventPage })
  async all(
    @Query('after') after: string | undefined,
    @Headers('last-event-id') lastEventId: string | undefined,
    @TheCaller() caller: Caller,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    await this.#send(await this.#positionOf(lastEventId ?? after), undefined, caller, request, response);
  }

  @Get('builds/:build/events')
  @ApiOkResponse({ standardSchema: EventPage })
  async ofBuild(
    @Param('build') reference: string,
    @Query('after') after: string | undefined,
    @Headers('last-event-id') lastEventId: string | undefined,
    @TheCaller() caller: Caller,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const build = await this.views.resolve(reference);
    await this.#send(await this.#positionOf(lastEventId ?? after), build.id, caller, request, response);
  }

  async #send(
    after: number,
    build: BuildId | undefined,
    caller: Caller,
    request: Request,
    response: Response,
  ): Promise<void> {
    if (!(request.headers.accept ?? '').includes('text/event-stream')) {
      const query = { after, limit: PAGE, ...(build === undefined ? {} : { build }) };
      const events = await readEvents(this.store.db, query);
      const next = events.length === PAGE ? (events.at(-1)?.seq ?? null) : null;
      response.json({ events: [...events], next } satisfies EventPage);
      return;
    }
    const stream = new EventStream(response);
    const access = new LastingAccess(this.store, this.clock, caller.token);
    for await (const events of this.feed.follow(after, build, stream.signal)) {
      // Whoever comes back is told in words that the token does not hold any more.
      if (!(await access.holds())) break;
      if (events.length === 0) await stream.keepAlive();
      else
        await stream.send(
          events.map((event) => ({ id: String(event.seq), data: event satisfies FarmEvent })),
        );
    }
    stream.end();
  }

  /**
   * `latest`: behind the newest event there is, for who looks at all the rest by itself. So is a number that is not reached yet: it is of a record that was there
   * before a backup was restored, and nothing would come until it is.
   */
  async #positionOf(text: string | undefined): Promise<number> {
    if (text === undefined || text === '') return 0;
    const last = await lastEventSeq(this.store.db);
    if (text === 'latest') return last;
    if (/^\d{1,15}$/.test(text)) return Math.min(Number(text), last);
    throw new FarmError('INVALID', `after: found "${text}"; expected the number of an event, or latest`);
  }
}
