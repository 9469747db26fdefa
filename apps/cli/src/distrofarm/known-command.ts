import type { Command } from 'commander';
import type { Session } from './session.js';

/** Gives a command its arguments, options and action; called once the command is meant. `all` is for commands about commands. */
export type DefineCommand = (command: Command, session: Session, all: readonly KnownCommand[]) => void;

export interface KnownCommand {
  readonly name: string;
  /** Its line in `distrofarm --help`. */
  readonly summary: string;
  readonly load: () => Promise<DefineCommand>;
  readonly hidden?: boolean;
}
