import type { BuildDetail, CancelBuild } from '#libs/contracts';
import type { Command } from 'commander';
import { example } from '../example.js';
import { pathOf } from '../farm.js';
import { forEach, idsOf } from '../ids.js';
import type { Session } from '../session.js';

export function cancel(command: Command, session: Session): void {
  example(
    command
      .argument('<build...>', 'ids, beginnings of ids, "latest", or "-" to read them from standard input')
      .option('--why <text>', 'for the audit'),
    'distrofarm cancel latest --why "wrong manifest"',
  ).action(async (named: readonly string[], { why }: { readonly why?: string }) => {
    const farm = await session.farm();
    const body: CancelBuild = { why: why ?? '' };
    await forEach(session, await idsOf(session, named), async (id) => {
      await session.show(await farm.post<BuildDetail>(pathOf`/builds/${id}/cancel`, body), (build) => [
        `${build.id} ${build.state === 'cancelled' ? 'is cancelled' : 'is being cancelled'}. Its checkpoints stay: distrofarm resume ${build.id}`,
      ]);
    });
  });
}
