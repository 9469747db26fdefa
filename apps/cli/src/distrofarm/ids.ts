import { CliError } from './cli-error.js';
import { EXIT } from './exit-codes.js';
import type { Session } from './session.js';
import { describeError } from './describe-error.js';
import { untilAborted } from './until-aborted.js';

/** The things a command is about: as named, or with `-` the first word of each line of standard input. */
export async function idsOf(session: Session, named: readonly string[]): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const name of named)
    ids.push(...(name === '-' ? await untilAborted(idsFromStdin(session), session.io.signal) : [name]));
  if (ids.length === 0) throw new CliError(EXIT.usage, 'standard input named nothing');
  return [...new Set(ids)];
}

async function idsFromStdin({ io }: Session): Promise<readonly string[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of io.stdin) chunks.push(Buffer.from(chunk));
  const lines = Buffer.concat(chunks).toString('utf8').split('\n');
  return lines.map((line) => line.trim().split(/\s+/)[0] ?? '').filter((word) => word !== '');
}

/** Does it for each; what fails is said, and the others are done all the same. */
export async function forEach(
  session: Session,
  ids: readonly string[],
  act: (id: string) => Promise<void>,
): Promise<void> {
  const [only, ...more] = ids;
  if (only !== undefined && more.length === 0) {
    await act(only);
    return;
  }
  for (const id of ids) {
    try {
      await act(id);
    } catch (error) {
      const described = describeError(error);
      if (described === null) throw error;
      await session.note(described.text);
      session.fail(described.exit);
    }
  }
}
