import { describe, expect, it } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { EXIT } from './exit-codes.js';
import { LogReader } from './log-reader.js';
import { LogRecords, textOf } from './log-record.js';
import { farmAnswering } from './testing.js';

const LOG = Buffer.from(
  Array.from({ length: 200 }, (_, index) => `2026-11-24T10:00:00.000Z a out| line ${index}\n`).join(''),
);
const never = new AbortController().signal;

/** Serves a log as the coordinator does, and cuts every answer off after some bytes until `whole`. */
function cutting(pieces: readonly number[], how: 'reset' | 'end') {
  const offsets: number[] = [];
  let call = 0;
  const answer = (url: string, response: ServerResponse): void => {
    const offset = Number(new URL(url, 'http://farm').searchParams.get('offset'));
    offsets.push(offset);
    const piece = pieces[call];
    call += 1;
    response.setHeader('distrofarm-log-complete', String(piece === undefined));
    if (piece === undefined) response.end(LOG.subarray(offset));
    else if (how === 'end') response.end(LOG.subarray(offset, offset + piece));
    else response.write(LOG.subarray(offset, offset + piece), () => setImmediate(() => response.destroy()));
  };
  return { offsets, answer };
}

describe('LogReader', () => {
  it.each(['reset', 'end'] as const)(
    'has no holes and no repeats when answers are cut by %s',
    async (how) => {
      const { offsets, answer } = cutting([1, 777, 0, 3333], how);
      await using test = await farmAnswering((request, response) => answer(request.url ?? '', response));
      const chunks: Buffer[] = [];
      const reader = new LogReader(test.farm, 't-0000000001', never);
      for await (const chunk of reader.read(true)) chunks.push(chunk);
      expect(Buffer.concat(chunks).equals(LOG)).toBe(true);
      // What was on its way when the connection broke may be lost, and comes again.
      expect(offsets).toHaveLength(5);
      expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
      expect(reader.offset).toBe(LOG.length);
    },
  );

  it('asks once for what there is now, and goes on from there', async () => {
    const { offsets, answer } = cutting([100], 'end');
    await using test = await farmAnswering((request, response) => answer(request.url ?? '', response));
    const reader = new LogReader(test.farm, 't-0000000001', never);
    const records = new LogRecords();
    const lines: string[] = [];
    for await (const chunk of reader.read(false)) lines.push(...[...records.push(chunk)].map(textOf));
    expect(lines).toEqual(['line 0', 'line 1']);
    for await (const chunk of reader.read(true)) lines.push(...[...records.push(chunk)].map(textOf));
    expect(lines).toHaveLength(200);
    expect(new Set(lines).size).toBe(200);
    expect(offsets).toEqual([0, 100]);
  });

  it('ends, and says so, when the end of a log never comes', async () => {
    let calls = 0;
    await using test = await farmAnswering((_request, response) => {
      calls += 1;
      response.setHeader('distrofarm-log-complete', 'false').setHeader('distrofarm-log-missing', '7');
      response.end(calls === 1 ? LOG : '');
    });
    const reader = new LogReader(test.farm, 't-0000000001', never);
    for await (const chunk of reader.read(true)) expect(chunk.length).toBeGreaterThan(0);
    expect([calls, reader.offset]).toEqual([2, LOG.length]);
    expect(reader.gap).toBe(
      '7 bytes are missing at the end of the log of t-0000000001: they have not come from its agent',
    );
  });

  it('says where the log of an attempt that was lost breaks off', async () => {
    await using test = await farmAnswering((_request, response) => {
      response.setHeader('distrofarm-log-complete', 'true').setHeader('distrofarm-log-breaks-off', 'true');
      response.end(LOG);
    });
    const reader = new LogReader(test.farm, 't-0000000001', never);
    for await (const chunk of reader.read(true)) expect(chunk).toHaveLength(LOG.length);
    expect(reader.gap).toBe(
      'the log of t-0000000001 breaks off here: the attempt was lost with its agent, which may have written more',
    );
  });

  it('does not try again when the farm refuses', async () => {
    let calls = 0;
    await using test = await farmAnswering((_request, response) => {
      calls += 1;
      response
        .writeHead(404)
        .end(JSON.stringify({ code: 'NOT_FOUND', message: 'no', hint: null, problems: [] }));
    });
    const reading = new LogReader(test.farm, 't-0000000001', never).read(true).next();
    await expect(reading).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(calls).toBe(1);
    expect(EXIT.notFound).toBe(4);
  });

  it('tells once that it is not connected, and once that it is again', async () => {
    let calls = 0;
    const told: (string | null)[] = [];
    await using test = await farmAnswering((request, response) => {
      calls += 1;
      if (calls <= 3) request.socket.destroy();
      else response.setHeader('distrofarm-log-complete', 'true').end('x');
    });
    const reader = new LogReader(test.farm, 't-0000000001', never, (lost) => told.push(lost));
    for await (const chunk of reader.read(true)) expect(chunk.toString()).toBe('x');
    expect(told).toEqual([expect.stringContaining('connection was reset'), null]);
  });
});
