import type { Command } from 'commander';

/** One line that works, below the help of a command. */
export function example(command: Command, ...lines: readonly string[]): Command {
  const title = lines.length === 1 ? 'Example:' : 'Examples:';
  return command.addHelpText('after', `\n${[title, ...lines.map((line) => `  ${line}`)].join('\n')}`);
}
