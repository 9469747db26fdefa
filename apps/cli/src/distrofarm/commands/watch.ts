import type { BuildDetail } from '#libs/contracts';
import type { Command } from 'commander';
import { example } from '../example.js';
import { pathOf } from '../farm.js';
import { duration } from '../options.js';
import type { Session } from '../session.js';
import { watchBuild } from '../watch-build.js';

interface WatchOptions {
  readonly follow?: boolean;
  readonly timeout?: number;
  readonly exitStatus: boolean;
}

export function watch(command: Command, session: Session): void {
  example(
    command
      .argument('[build]', 'id, the beginning of one, or "latest"', 'latest')
      .option('-f, --follow', 'lines instead of a screen, with what the steps write to standard error')
      .option('--timeout <duration>', 'stop watching after that long', duration)
      .option('--no-exit-status', 'exit with 0 however the build ends'),
    'distrofarm watch latest',
  ).action(async (reference: string, { follow, timeout, exitStatus }: WatchOptions) => {
    const build = await (await session.farm()).get<BuildDetail>(pathOf`/builds/${reference}`);
    await watchBuild(session, build, { follow: follow === true, timeoutMs: timeout ?? null, exitStatus });
  });
}
