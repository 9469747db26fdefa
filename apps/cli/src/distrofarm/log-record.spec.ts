import { describe, expect, it } from '@jest/globals';
import picocolors from 'picocolors';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuildLog } from '#libs/build-area';
import { formatRecord } from './log-format.js';
import { isLoss, type LogRecord, LogRecords, rawBytes, textOf, wanted } from './log-record.js';

const AT = '2026-11-24T10:00:00.500Z';
const plain = picocolors.createColors(false);
const recordsOf = (...chunks: readonly (string | Buffer)[]): LogRecord[] => {
  const records = new LogRecords();
  return [...chunks.flatMap((chunk) => [...records.push(Buffer.from(chunk))]), ...records.end()];
};
const shown = ({ at, step, stream, complete, ...record }: LogRecord) =>
  `${at === null ? '-' : new Date(at).toISOString()} ${step} ${stream} ${complete ? '|' : '>'} ${textOf({ at, step, stream, complete, ...record })}`;

describe('LogRecords', () => {
  it.each([
    [`${AT} im-pop err| hello\n`, `${AT} im-pop err | hello`],
    [`${AT} im-pop out> no newline\n`, `${AT} im-pop out > no newline`],
    [`${AT} - dc | 4096 bytes lost here: disk full\n`, `${AT} - note | 4096 bytes lost here: disk full`],
    [`${AT} im-pop out| \n`, `${AT} im-pop out | `],
    [`${AT} im-pop out| a| b> c\n`, `${AT} im-pop out | a| b> c`],
    ['4096 bytes lost here\n', '- - note | 4096 bytes lost here'],
    ['\n', '- - note | '],
  ])('reads %j', (line, record) => {
    expect(recordsOf(line).map(shown)).toEqual([record]);
  });

  it('gives the same whatever the chunks', () => {
    const log = Buffer.from(`${AT} a out| über\n${AT} a err| ✓\n${AT} b out> end`);
    const whole = recordsOf(log).map(shown);
    expect(whole).toHaveLength(3);
    for (let cut = 1; cut < log.length; cut += 1) {
      expect(recordsOf(log.subarray(0, cut), log.subarray(cut)).map(shown)).toEqual(whole);
    }
  });

  it('passes on a line without end, so that it cannot fill the memory', () => {
    const records = new LogRecords();
    const pieces = [...records.push(Buffer.alloc(3 * 1024 * 1024, 'x'))];
    expect(pieces.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBe(3 * 1024 * 1024);
  });

  it('reads what BuildLog writes, and --raw gives the bytes back', () => {
    const folder = mkdtempSync(join(tmpdir(), 'distrofarm-log-'));
    try {
      const log = BuildLog.open(folder);
      const written = Buffer.concat([
        Buffer.from('one\n\ntw'),
        Buffer.from([0xff, 0x1b, 0x0d]),
        Buffer.from('o\nend'),
      ]);
      log.note('im-pop', '==== im-pop');
      log.output('im-pop', 'out', written.subarray(0, 5));
      log.output('im-pop', 'out', written.subarray(5));
      log.output('im-pop', 'err', Buffer.alloc(200_000, 'y'));
      log.endOfStep('im-pop');
      log.close();
      const records = recordsOf(readFileSync(log.detailPath));
      const raw = (stream: string) =>
        Buffer.concat(records.filter((record) => record.stream === stream).map(rawBytes));
      expect(raw('out').equals(written)).toBe(true);
      expect(raw('err').equals(Buffer.alloc(200_000, 'y'))).toBe(true);
      expect(raw('note')).toHaveLength(0);
      expect(records.every(({ step, at }) => step === 'im-pop' && at !== null)).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('wanted', () => {
  const all = { step: null, since: null, grep: null };
  const [record] = recordsOf(`${AT} im-pop err| E: Unable to locate\n`) as [LogRecord];
  it.each([
    [all, true],
    [{ ...all, step: 'im-pop' }, true],
    [{ ...all, step: 'im-mod' }, false],
    [{ ...all, since: Date.parse(AT) }, true],
    [{ ...all, since: Date.parse(AT) + 1 }, false],
    [{ ...all, grep: /^E: / }, true],
    [{ ...all, grep: /im-pop/ }, false],
  ])('with %j: %s', (filter, expected) => {
    expect(wanted(filter, record)).toBe(expected);
  });

  it('shows what has no time of its own', () => {
    const [lost] = recordsOf('4096 bytes lost here\n') as [LogRecord];
    expect(wanted({ ...all, since: Date.now() }, lost)).toBe(true);
  });

  it('shows a loss, whatever is looked for, and takes no script at its word', () => {
    const [lost, said] = recordsOf(
      `${AT} - dc | 4096 bytes lost here: disk full\n${AT} im-pop out| 4096 bytes lost here\n`,
    ) as [LogRecord, LogRecord];
    const filter = { step: 'im-mod', since: Date.parse(AT), grep: /^E: / };
    expect([isLoss(lost), wanted(filter, lost)]).toEqual([true, true]);
    expect([isLoss(said), wanted(filter, said)]).toEqual([false, false]);
    expect(wanted({ ...filter, since: Date.parse(AT) + 1 }, lost)).toBe(false);
  });
});

describe('formatRecord', () => {
  const [record] = recordsOf(`${AT} im-pop err| \u001b[2Jcleared\n`) as [LogRecord];
  const format = (...given: [Parameters<typeof formatRecord>[1], string]) =>
    formatRecord(record, given[0], given[1], plain);

  it('is harmless, with the job and local time', () => {
    const local = new Date(AT);
    const time = [local.getHours(), local.getMinutes(), local.getSeconds()].map((each) =>
      String(each).padStart(2, '0'),
    );
    expect(format({ kind: 'text', timestamps: true }, 'x86-64')).toBe(
      `${time.join(':')} x86-64 im-pop| \\x1b[2Jcleared\n`,
    );
    expect(format({ kind: 'text', timestamps: false }, '')).toBe('im-pop| \\x1b[2Jcleared\n');
  });

  it('is one JSON object a line', () => {
    expect(JSON.parse(format({ kind: 'json' }, '') as string)).toEqual({
      at: Date.parse(AT),
      step: 'im-pop',
      stream: 'err',
      text: '\u001b[2Jcleared',
      complete: true,
    });
  });
});
