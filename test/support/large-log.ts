import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { AttemptId } from '#libs/contracts';
import { LogRecords } from '#libs/build-area';
import { openDatabase, setLogBytes, setLogFinalBytes } from '#libs/store';
import type { TestFarm } from './test-farm.js';

const LINES_OF_A_PIECE = 1000;

/** What no terminal should be shown: each is a line of a script. */
const NASTY: readonly (string | Buffer)[] = [
  'x'.repeat(1024 ** 2),
  '\u001b[1;32mgreen\u001b[0m '.repeat(40_000),
  '\u001b]0;pwned\u0007\u001b[2J\u001b[1;1H\u001b]8;;http://evil.test\u0007link\u001b]8;;\u0007',
  'exe\u202egpj.\u2066x\u2069 zero\u200bwidth',
  'NUL \0 here, \u0008\u0008\u0008\u007f',
  Buffer.from([0x66, 0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0xf5, 0x80]),
  '<img src=x onerror="document.title=1"><script>document.title=2</script>',
  `error: ${'e'.repeat(300_000)}`,
];

/** How many numbered lines there are: `line 0 of many` and on. */
export interface LargeLog {
  readonly bytes: number;
  readonly lines: number;
}

/** Writes what an agent would have sent of a step that writes so much: numbered lines, and in front of each thousand of them one that is hostile. */
export async function writeLargeLog(path: string, leastBytes: number): Promise<LargeLog> {
  const file = createWriteStream(path);
  const records = new LogRecords(() => new Date());
  let [bytes, lines] = [0, 0];
  for (let piece = 0; bytes < leastBytes; piece += 1) {
    const numbered = Array.from(
      { length: LINES_OF_A_PIECE },
      (_, n) => `\nline ${lines + n} of many, and some more words to make it longer`,
    );
    const nasty = Buffer.from(NASTY[piece % NASTY.length] ?? '');
    const written = Buffer.concat([nasty, Buffer.from(`${numbered.join('')}\n`)]);
    const record = records.output('loud', 'out', written).bytes;
    bytes += record.length;
    lines += LINES_OF_A_PIECE;
    if (!file.write(record)) await once(file, 'drain');
  }
  file.end();
  await finished(file);
  return { bytes, lines };
}

/** Makes that the log of an attempt which is over, where the coordinator keeps it: to send it is tested elsewhere. */
export async function plantLargeLog(
  farm: TestFarm,
  attempt: AttemptId,
  leastBytes: number,
): Promise<LargeLog> {
  const data = join(farm.folder, 'coordinator');
  const log = await writeLargeLog(join(data, 'logs', `${attempt}.log`), leastBytes);
  const database = await openDatabase({ kind: 'sqlite', path: join(data, 'farm.db') });
  await setLogBytes(database.db, attempt, log.bytes);
  await setLogFinalBytes(database.db, attempt, log.bytes);
  await database.close();
  return log;
}
