import type { Command } from 'commander';
import { example } from '../example.js';
import { exitCodeTable } from '../exit-codes.js';
import type { Session } from '../session.js';

export function help(command: Command, session: Session): void {
  example(command.argument('[topic...]', 'a command, or "exit-codes"'), 'distrofarm help exit-codes').action(
    async (topic: readonly string[]) => {
      if (topic[0] === 'exit-codes') await session.print(exitCodeTable().trimEnd());
      else await command.parent?.parseAsync([...topic, '--help'], { from: 'user' });
    },
  );
}
