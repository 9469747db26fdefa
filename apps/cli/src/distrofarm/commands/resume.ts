import type { BuildDetail, ResumeBuild } from '#libs/contracts';
import type { Command } from 'commander';
import { example } from '../example.js';
import { pathOf } from '../farm.js';
import { forEach, idsOf } from '../ids.js';
import type { Session } from '../session.js';

interface ResumeOptions {
  readonly from?: string;
  readonly variant?: string;
  readonly on?: string;
  readonly pause?: string;
  readonly why?: string;
  readonly watch?: boolean;
}

export function resume(command: Command, session: Session): void {
  example(
    command
      .argument('<build...>', 'ids, beginnings of ids, "latest", or "-" to read them from standard input')
      .option('-r, --from <step>', 'run this step again, and all that depends on it; by name or number')
      .option('-V, --variant <name>', 'only this variant')
      .option('--on <agent>', 'go on there and nowhere else, until it is resumed again; by name or id')
      .option('-p, --pause <step>', 'pause again before this step')
      .option('--why <text>', 'for the audit')
      .option('-w, --watch', 'watch it, when it is one'),
    'distrofarm resume latest --from im-mod',
  ).action(async (named: readonly string[], options: ResumeOptions) => {
    const farm = await session.farm();
    const ids = await idsOf(session, named);
    await forEach(session, ids, async (id) => {
      const build = await farm.post<BuildDetail>(pathOf`/builds/${id}/resume`, resumeBody(options));
      if (options.watch !== true || ids.length > 1) {
        await session.show(build, resumedLines);
        return;
      }
      const { watchBuild } = await import('../watch-build.js');
      await watchBuild(session, build, { follow: false, timeoutMs: null, exitStatus: true });
    });
  });
}

function resumeBody({ from, variant, on, pause, why }: ResumeOptions): ResumeBuild {
  return {
    from: from ?? null,
    variant: variant ?? null,
    onAgent: on ?? null,
    pauseBefore: pause ?? null,
    why: why ?? '',
  };
}

export function resumedLines({ id, state, summary }: BuildDetail): readonly string[] {
  return [`${id} goes on: ${summary === '' ? state : summary}`, `Watch it with: distrofarm watch ${id}`];
}
