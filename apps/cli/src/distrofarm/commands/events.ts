import type { FarmEvent } from '#libs/contracts';
import { retryDelays } from '#libs/http-client';
import type { Command } from 'commander';
import { cleaned, toJson } from '../cleaned.js';
import { example } from '../commands.js';
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

const MAX_RETRY_MS = 5_000;

export function events(command: Command, session: Session): void {
  example(
    command
      .option('-f, --follow', 'go on with those to come')
      .option('-b, --build <build>', 'only of this build')
      .option('--after <seq>', 'those behind this one', count)
      .option('--limit <count>', 'at most so many, without --follow', count, 100),
    'distrofarm events --follow',
  ).action(async ({ follow, build, after, limit }: EventOptions) => {
    const farm = await session.farm();
    const path = build === undefined ? '/events' : pathOf`/builds/${build}/events`;
    if (follow !== true) {
      const page = await farm.get<EventPage>(path + queryOf({ after, limit }));
      for (const event of page.events) await printEvent(session, event);
      return;
    }
    await followEvents(session, farm, path, after ?? 0);
  });
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
      if (signal.aborted) break;
      if (!isPassing(error)) throw error;
      await session.note(`not connected: ${(error as Error).message}; trying again`);
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
