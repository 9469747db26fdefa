import type { Command } from 'commander';
import { CliError } from '../cli-error.js';
import { example } from '../example.js';
import { EXIT } from '../exit-codes.js';
import { readProfiles, writeProfiles } from '../profiles.js';
import type { Session } from '../session.js';

export function logout(command: Command, session: Session): void {
  example(command, 'distrofarm logout').action(async () => {
    const { env } = session.io;
    const { current, profiles } = await readProfiles(env);
    const name = session.options.profile ?? current;
    if (name === null || !Object.hasOwn(profiles, name)) {
      throw new CliError(
        EXIT.config,
        name === null ? 'you are not logged in' : `no profile has the name "${name}"`,
      );
    }
    const left = Object.fromEntries(Object.entries(profiles).filter(([each]) => each !== name));
    const [next = null] = Object.keys(left);
    await writeProfiles(env, { current: current === name ? next : current, profiles: left });
    await session.show({ profile: name }, () => [
      `Address and token of ${name} are forgotten. The token itself is still valid: an admin revokes it with "distrofarm tokens revoke".`,
    ]);
  });
}
