import { MOST_FILE_CHANGES, type CheckpointDiff, type FileChange, type ReadyDiff } from '#libs/contracts';
import type { Command } from 'commander';
import { cleaned } from '../cleaned.js';
import { CliError } from '../cli-error.js';
import { example } from '../example.js';
import { EXIT } from '../exit-codes.js';
import { queryOf, type Farm } from '../farm.js';
import { count } from '../options.js';
import { pauseFor } from '../pause-for.js';
import { differenceLines, whatIsWaitedFor, whyThereIsNone } from '../render-diff.js';
import type { Session } from '../session.js';

const NAMED =
  'id, or BUILD[.VARIANT][/LANE]@STEP: the state in front of the step; @end: behind the last, where another lane goes on from there';
const LOOK_AGAIN_MS = 500;
const SHOWN = 40;

interface Options {
  readonly path: string;
  readonly most?: number;
}

export function diff(command: Command, session: Session): void {
  example(
    command
      .argument('<from>', NAMED)
      .argument('<to>', 'the same')
      .option('-p, --path <text>', 'only files that have this in their path', '')
      .option(
        '-n, --most <count>',
        `at most so many packages and files (default: ${SHOWN}; --json has all)`,
        count,
      ),
    'distrofarm diff latest@im-pop latest@im-mod',
    'distrofarm diff b-12.en@im-mod b-12.de@im-mod --path etc/',
  ).action(async (from: string, to: string, { path, most }: Options) => {
    const farm = await session.farm();
    const first = session.json ? MOST_FILE_CHANGES : Math.min(most ?? SHOWN, MOST_FILE_CHANGES);
    const found = await untilReady(session, farm, { from, to, path, limit: first });
    const wanted = most ?? (session.json ? Infinity : SHOWN);
    const whole = await withMore(farm, found, path, wanted);
    await session.show(whole, (answer) => differenceLines(answer, session.colours, most ?? SHOWN));
  });
}

/** Says what it waits for, and that again when it is something else. */
async function untilReady(
  session: Session,
  farm: Farm,
  query: Readonly<Record<'from' | 'to' | 'path', string>> & { readonly limit: number },
): Promise<ReadyDiff> {
  let said = '';
  for (;;) {
    const answer = await farm.get<CheckpointDiff>(`/checkpoints/diff${queryOf(query)}`);
    if (answer.state === 'ready') return answer;
    const shown = cleaned(answer);
    if (shown.state === 'failed')
      throw new CliError(
        EXIT.failed,
        whyThereIsNone(shown),
        'distrofarm checkpoints list shows who holds what.',
      );
    const waiting = whatIsWaitedFor(shown);
    if (waiting !== said) await session.note(waiting);
    said = waiting;
    await pauseFor(LOOK_AGAIN_MS, session.io.signal);
  }
}

/** By their ids from here on: a name may mean another checkpoint a moment later. */
async function withMore(farm: Farm, first: ReadyDiff, path: string, wanted: number): Promise<ReadyDiff> {
  const changes: FileChange[] = [...first.changes];
  let { next } = first;
  while (next !== null && changes.length < wanted) {
    const limit = Math.min(wanted - changes.length, MOST_FILE_CHANGES);
    const query = queryOf({ from: first.from.id, to: first.to.id, path, limit, offset: next });
    const page = await farm.get<CheckpointDiff>(`/checkpoints/diff${query}`);
    if (page.state !== 'ready')
      throw new CliError(EXIT.failed, 'a listing is gone in the middle of reading it', 'Try again.');
    changes.push(...page.changes);
    ({ next } = page);
  }
  return { ...first, changes, next };
}
