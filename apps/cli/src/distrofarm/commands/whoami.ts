import type { WhoAmI } from '#libs/contracts';
import type { Command } from 'commander';
import { example } from '../example.js';
import type { Session } from '../session.js';

export function whoami(command: Command, session: Session): void {
  example(command, 'distrofarm whoami').action(async () => {
    const farm = await session.farm();
    await session.show(await farm.get<WhoAmI>('/whoami'), ({ user, role, rights, farm: name, version }) => [
      `${user}, ${role}${rights.length === 0 ? '' : ` with the right to ${rights.join(', ')}`}, on ${name} (version ${version})`,
    ]);
  });
}
