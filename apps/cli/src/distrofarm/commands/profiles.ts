import type { Command } from 'commander';
import { CliError } from '../cli-error.js';
import { example } from '../example.js';
import { EXIT } from '../exit-codes.js';
import { profilesPath, readProfiles, writeProfiles } from '../profiles.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

export function profiles(command: Command, session: Session): void {
  list(command.command('list').description('all of them; "*" is the one that is used'), session);
  use(command.command('use').description('use this one from now on'), session);
}

function list(command: Command, session: Session): void {
  example(command, 'distrofarm profiles list').action(async () => {
    const { current, profiles: known } = await readProfiles(session.io.env);
    const rows = Object.entries(known).map(([name, { url, token, ca }]) => ({
      name,
      url,
      current: name === current,
      hasToken: token !== null,
      hasCa: ca !== null,
    }));
    await session.show(rows, (shown) => {
      if (shown.length === 0) return ['There are none. Log in with: distrofarm login URL'];
      const table = shown.map((row) => [
        row.current ? '*' : ' ',
        row.name,
        row.url,
        row.hasToken ? '' : 'no token',
      ]);
      return [
        ...textTable(['', 'PROFILE', 'FARM', ''], table),
        `They are in ${profilesPath(session.io.env)}`,
      ];
    });
  });
}

function use(command: Command, session: Session): void {
  example(command.argument('<profile>', 'its name'), 'distrofarm profiles use local').action(
    async (name: string) => {
      const known = await readProfiles(session.io.env);
      if (!Object.hasOwn(known.profiles, name)) {
        throw new CliError(
          EXIT.config,
          `no profile has the name "${name}"`,
          'See them with: distrofarm profiles list',
        );
      }
      await writeProfiles(session.io.env, { ...known, current: name });
      await session.show({ current: name }, () => [`${name} is used from now on.`]);
    },
  );
}
