import type { BuildDetail, PauseBuild } from '#libs/contracts';
import type { Command } from 'commander';
import { example } from '../example.js';
import { pathOf } from '../farm.js';
import { forEach, idsOf } from '../ids.js';
import type { Session } from '../session.js';

interface PauseOptions {
  readonly before?: string;
  readonly why?: string;
}

export function pause(command: Command, session: Session): void {
  example(
    command
      .argument('<build...>', 'ids, beginnings of ids, "latest", or "-" to read them from standard input')
      .option(
        '-b, --before <step>',
        'when it gets to this step, by name or number; else when the running steps end',
      )
      .option('--why <text>', 'for the audit'),
    'distrofarm pause latest --before grub-setup',
  ).action(async (named: readonly string[], { before, why }: PauseOptions) => {
    const farm = await session.farm();
    const body: PauseBuild = { before: before ?? null, why: why ?? '' };
    await forEach(session, await idsOf(session, named), async (id) => {
      await session.show(await farm.post<BuildDetail>(pathOf`/builds/${id}/pause`, body), (build) => [
        pausedLine(build),
      ]);
    });
  });
}

function pausedLine({ id, state, pauseBefore }: BuildDetail): string {
  if (state === 'paused') return `${id} is paused. Go on with: distrofarm resume ${id}`;
  const when = pauseBefore === null ? 'when the steps that run now have ended' : `before ${pauseBefore}`;
  return `${id} will pause ${when}. Go on then with: distrofarm resume ${id}`;
}
