import type { BuildDetail, ResumeBuild } from '#libs/contracts';
import type { Command } from 'commander';
import { CliError } from '../cli-error.js';
import { example } from '../example.js';
import { EXIT } from '../exit-codes.js';
import { pathOf } from '../farm.js';
import { forEach, idsOf } from '../ids.js';
import type { Session } from '../session.js';
import { resumedLines } from './resume.js';

export function retry(command: Command, session: Session): void {
  example(
    command
      .argument('<build...>', 'ids, beginnings of ids, "latest", or "-" to read them from standard input')
      .option('--why <text>', 'for the audit'),
    'distrofarm retry latest',
  ).action(async (named: readonly string[], { why }: { readonly why?: string }) => {
    const farm = await session.farm();
    await forEach(session, await idsOf(session, named), async (reference) => {
      const build = await farm.get<BuildDetail>(pathOf`/builds/${reference}`);
      if (!canBeRetried(build)) throw nothingToRetry(build);
      const body: ResumeBuild = { why: why ?? '' };
      await session.show(
        await farm.post<BuildDetail>(pathOf`/builds/${build.id}/resume`, body),
        resumedLines,
      );
    });
  });
}

/** Also one that succeeded without an optional variant. */
function canBeRetried({ state, jobs }: BuildDetail): boolean {
  if (state === 'succeeded') return jobs.some((job) => job.state === 'failed');
  return state === 'failed' || state === 'cancelled';
}

function nothingToRetry({ id, state }: BuildDetail): CliError {
  const hint = {
    paused: `Go on with it: distrofarm resume ${id}`,
    succeeded: `Run it again from a step: distrofarm resume ${id} --from STEP`,
    waiting: `See why it waits: distrofarm explain ${id}`,
    running: `Watch it: distrofarm watch ${id}`,
    failed: null,
    cancelled: null,
  }[state];
  return new CliError(EXIT.server, `there is nothing to retry: ${id} is ${state}`, hint);
}
