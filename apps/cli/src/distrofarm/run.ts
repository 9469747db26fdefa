import { Command, CommanderError } from 'commander';
import { toJson } from './cleaned.js';
import { COMMANDS } from './commands.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { writeTo, type Io } from './io.js';
import type { KnownCommand } from './known-command.js';
import { Session, type GlobalOptions } from './session.js';
import { VERSION } from './version.js';

const INTRODUCTION = `Builds operating-system images on a farm: submits manifests, watches and steers builds.

First:  distrofarm up            a whole farm on this machine
   or:  distrofarm login URL     one that runs elsewhere`;

/** One run of `distrofarm`, with nothing of the process but what `io` has. Resolves to the exit code; only faults of the program throw. */
export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const session = new Session(io, VERSION);
  try {
    await programFor(session).parseAsync([...args], { from: 'user' });
    return session.exit;
  } catch (error) {
    return await exitFor(error, session);
  } finally {
    session.close();
  }
}

/** The command tree. A command's own file is loaded when that command is meant; the others are a name and a line of help. */
export function programFor(session: Session, commands: readonly KnownCommand[] = COMMANDS): Command {
  // `help` reads a second command line with the same program.
  const defined = new Set<Command>();
  const program = new Command('distrofarm')
    .description(INTRODUCTION)
    .usage('COMMAND [options]')
    .option('--json', "print the farm's answers as JSON; streams as one object a line")
    .option('-P, --profile <name>', 'talk to the farm of this profile')
    .version(VERSION, '--version', 'print the version of this program')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void session.io.stdout.write(text),
      writeErr: (text) => void session.io.stderr.write(text),
      getOutHelpWidth: () => session.io.stdout.columns ?? 100,
      getErrHelpWidth: () => session.io.stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .hook('preSubcommand', async (_program, command) => {
      const known = commands.find(({ name }) => name === command.name());
      if (known === undefined || defined.has(command)) return;
      defined.add(command);
      (await known.load())(command, session, commands);
    })
    .hook('preAction', () => {
      session.options = program.opts<GlobalOptions>();
    });
  for (const { name, summary, hidden } of commands)
    program.command(name, { hidden: hidden === true }).description(summary);
  return program;
}

async function exitFor(error: unknown, { io, options }: Session): Promise<ExitCode> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (io.signal.aborted) return EXIT.interrupted;
  const { describeError } = await import('./describe-error.js');
  const described = describeError(error);
  if (described === null) throw error;
  if (options.json === true) await writeTo(io.stdout, `${toJson({ error: described.body })}\n`);
  await writeTo(io.stderr, `${described.text}\n`);
  return described.exit;
}
