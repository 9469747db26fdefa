import { describe, expect, it } from '@jest/globals';
import { NotReached } from '../session/api-failure.js';
import { AttemptLog } from './attempt-log.js';

const HEAD = '2026-11-24T13:03:09.123Z pop out| ';
const line = (index: number): string => `${HEAD}line ${index} ${'x'.repeat(60)}\n`;

/** Answers like the coordinator, from a log that can grow. Each follower gets what is there, and then its connection breaks or ends. */
class FakeLog {
  text = '';
  isOver = true;
  readonly asked: string[] = [];
  /** Thrown instead of an answer, once each. */
  readonly failures: Error[] = [];
  onFollow: () => void = () => undefined;

  readonly open = async (path: string): Promise<Response> => {
    const query = new URLSearchParams(path.split('?')[1]);
    this.asked.push(query.toString());
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    const bytes = new TextEncoder().encode(this.text);
    const offset = Number(query.get('offset'));
    const length = Number(query.get('length') ?? Infinity);
    const headers = {
      'distrofarm-log-bytes': String(bytes.length),
      'distrofarm-log-complete': String(this.isOver),
      'distrofarm-log-missing': '0',
      'distrofarm-log-breaks-off': 'false',
    };
    if (query.has('follow')) this.onFollow();
    return await Promise.resolve(new Response(bytes.slice(offset, offset + length), { headers }));
  };
}

const lines = (count: number): string => Array.from({ length: count }, (_, index) => line(index)).join('');
const texts = (log: AttemptLog): readonly string[] =>
  log.view().window.lines.map(({ text }) => text.split(' x')[0] ?? '');

describe('the log of an attempt', () => {
  it('shows what is around a byte, and no more of a long log', async () => {
    const fake = new FakeLog();
    fake.text = lines(50_000);
    const log = new AttemptLog(fake, 't');
    const offset = fake.text.indexOf(`line 25000 `) - HEAD.length;
    await log.jump(offset);
    const { window, size } = log.view();
    expect(size).toBe(fake.text.length);
    expect(texts(log)).toContain('line 25000');
    expect(window.end - window.start).toBeLessThan(257 * 1024);
  });

  it('reads on at both ends without a hole, and lets go of the other', async () => {
    const fake = new FakeLog();
    fake.text = lines(50_000);
    const log = new AttemptLog(fake, 't');
    await log.jump(2_000_000);
    for (let turn = 0; turn < 4; turn += 1) await log.older();
    for (let turn = 0; turn < 12; turn += 1) await log.newer();
    const shown = texts(log).map((text) => Number(text.split(' ')[1]));
    expect(shown.length).toBeGreaterThan(1000);
    expect(shown).toEqual(shown.map((_, index) => (shown[0] ?? 0) + index));
    expect(log.view().window.end - log.view().window.start).toBeLessThanOrEqual(2 * 1024 * 1024);
  });

  it('is followed over broken connections, each byte once', async () => {
    const fake = new FakeLog();
    fake.isOver = false;
    fake.text = line(0) + line(1).slice(0, 20);
    let follows = 0;
    fake.onFollow = () => {
      follows += 1;
      if (follows === 1) fake.failures.push(new NotReached('the farm cannot be reached'));
      if (follows === 1) fake.text = lines(3);
      if (follows === 2) fake.text = lines(5);
      if (follows === 3) fake.isOver = true;
    };
    const log = new AttemptLog(fake, 't');
    const lost: (string | null)[] = [];
    log.subscribe(() => lost.push(log.view().lost));
    await log.follow();
    expect(texts(log)).toEqual(['line 0', 'line 1', 'line 2', 'line 3', 'line 4']);
    expect(lost).toContain('The farm cannot be reached.');
    expect(log.view()).toMatchObject({ isOver: true, isFollowing: false, lost: null });
  });

  it('is not read twice where it is followed', async () => {
    const fake = new FakeLog();
    fake.isOver = false;
    fake.text = line(0);
    const log = new AttemptLog(fake, 't');
    fake.onFollow = () => {
      fake.text = lines(3);
      void log.newer();
      fake.isOver = true;
    };
    await log.follow();
    expect(texts(log)).toEqual(['line 0', 'line 1', 'line 2']);
    expect(log.view().lost).toBeNull();
  });

  it('is searched in both directions, also where nothing of it is in memory', async () => {
    const fake = new FakeLog();
    fake.text = lines(30_000);
    const log = new AttemptLog(fake, 't');
    await log.jump(0);
    const is = (index: number) => (each: { text: string }) => each.text.startsWith(`line ${index} `);
    const found = await log.search(is(29_999), -1, false);
    expect(found?.text).toContain('line 29999');
    expect((await log.search(is(3), found?.offset ?? 0, true))?.text).toContain('line 3 ');
    expect(await log.search(is(3), found?.offset ?? 0, false)).toBeNull();
    expect(log.view().searchedTo).toBeNull();
  });

  it('has what was written last, also where its line has no end', async () => {
    const fake = new FakeLog();
    fake.text = `${line(0)}${HEAD}half`;
    const log = new AttemptLog(fake, 't');
    await log.follow();
    await log.newer();
    expect(texts(log)).toEqual(['line 0', 'half']);
    expect(log.view().window.end).toBe(log.view().size);
  });

  it('does not ask again and again for the rest of a line that is still being written', async () => {
    const fake = new FakeLog();
    fake.isOver = false;
    fake.text = `${line(0)}${HEAD}half`;
    const log = new AttemptLog(fake, 't');
    await log.jump(0);
    for (let turn = 0; turn < 5; turn += 1) await log.newer();
    expect(fake.asked).toHaveLength(2);
  });

  it('says in words why it cannot be read', async () => {
    const fake = new FakeLog();
    fake.failures.push(new NotReached('the farm cannot be reached'));
    const log = new AttemptLog(fake, 't');
    await log.jump(0);
    expect(log.view()).toMatchObject({ lost: 'The farm cannot be reached.', isLoading: false });
  });
});
