import type { Health } from '#libs/contracts';
import type { Command } from 'commander';
import { example } from '../example.js';
import type { Session } from '../session.js';

export function version(command: Command, session: Session): void {
  example(command.option('--server', 'of the farm, too'), 'distrofarm version --server').action(
    async ({ server }: { readonly server?: boolean }) => {
      const own = session.version;
      const farms = server === true ? (await (await session.farm()).get<Health>('/health')).version : null;
      await session.show({ client: own, server: farms }, (versions) => [
        `distrofarm ${versions.client}`,
        ...(versions.server === null ? [] : [`farm ${versions.server}`]),
      ]);
      if (farms !== null && farms !== own)
        await session.note('They differ: use the same version on both sides.');
    },
  );
}
