import type { BuildDetail, FarmEvent } from '#libs/contracts';
import { retryDelays } from '#libs/event-stream';
import { ApiError } from '#libs/http-client';
import type { Command } from 'commander';
import { cleaned, toJson } from '../cleaned.js';
import { example } from '../example.js';
import { EXIT } from '../exit-codes.js';
import { isPassing, pathOf, queryOf, type Farm } from '../farm.js';
import { writeTo } from '../io.js';
import { dateTime } from '../moments.js';
import { count } from '../options.js';
import { pauseFor } from '../pause-for.js';
import type { Session } from '../session.js';

interface EventOptions {
  readonly follow?: boolean;
  readonly build?: string;
  readonly after?: number;
  readonly limit: number;
}

interface EventPage {
  readonly events: readonly FarmEvent[];
  readonly next: number | null;
}

const MAX_RETRY_MS = 2_000;

export function events(command: Command, session: Session): void {
  example(
    command
      .option('-f, --follow', 'those to come')
      .option('-b, --build <build>', 'only of this build, from its first one on')
      .option('--after <seq>', 'from the one behind this on', count)
      .option('--limit <count>', 'without --follow or --after: so many of the newest', count, 100),
    'distrofarm events --follow',
  ).action(async (options: EventOptions) => {
    const farm = await session.farm();
    const path = options.build === undefined ? '/events' : pathOf`/builds/${options.build}/events`;
    const after = options.after ?? (await firstPosition(farm, options));
    if (options.follow === true) await followEvents(session, farm, path, after);
    else await printPages(session, farm, path, after);
  });
}

/** A build is told whole; of the farm, the newest. */
async function firstPosition(farm: Farm, { build, follow, limit }: EventOptions): Promise<number> {
  if (build !== undefined) return 0;
  const newest = await newestPosition(farm);
  return follow === true ? newest : Math.max(0, newest - limit);
}

/** Any build's view says it. A farm without builds has few events. */
async function newestPosition(farm: Farm): Promise<number> {
  try {
    return (await farm.get<BuildDetail>('/builds/latest')).eventSeq;
  } catch (error) {
    if (error instanceof ApiError && error.code === 'NOT_FOUND') return 0;
    throw error;
  }
}

async function printPages(session: Session, farm: Farm, path: string, after: number): Promise<void> {
  let position: number | null = after;
  while (position !== null) {
    const page: EventPage = await farm.get<EventPage>(path + queryOf({ after: position }));
    for (const event of page.events) await printEvent(session, event);
    position = page.next;
  }
}

/** Until Ctrl-C, over lost connections, each event once. */
async function followEvents(session: Session, farm: Farm, path: string, after: number): Promise<void> {
  const { signal } = session.io;
  let position = after;
  let delays = retryDelays({ maxMs: MAX_RETRY_MS });
  while (!signal.aborted) {
    try {
      for await (const event of farm.events(path, position, signal)) {
        position = event.seq;
        delays = retryDelays({ maxMs: MAX_RETRY_MS });
        await printEvent(session, event);
      }
    } catch (error) {
      if (session.io.signal.aborted) break;
      if (!isPassing(error)) throw error;
      await session.note(`not connected: ${cleaned((error as Error).message)}; trying again`);
    }
    await pauseFor(delays.next().value, signal).catch(() => undefined);
  }
  session.fail(EXIT.interrupted);
}

async function printEvent(session: Session, event: FarmEvent): Promise<void> {
  const line = session.json ? toJson(event) : eventLine(cleaned(event));
  await writeTo(session.io.stdout, `${line}\n`);
}

/** `2026-11-24 14:03:09 1234 step-started b-… lane=main step=im-pop` */
export function eventLine({ seq, at, type, build, agent, data }: FarmEvent): string {
  const facts = Object.entries(data).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? quoted(value) : toJson(value)}`,
  );
  const about = [build, agent].filter((id) => id !== null);
  return [dateTime(at), String(seq), type, ...about, ...facts].join(' ');
}

function quoted(value: string): string {
  return /^[^\s"=]+$/.test(value) ? value : toJson(value);
}
