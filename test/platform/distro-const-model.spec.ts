// Needs root, Linux namespaces, the built dist/, and ZFS with a pool named in DC_TEST_POOL (scripts/with-zfs.sh).
import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { IS_DEEP } from '../support/depth.js';
import { M, TestBuild, type Run, type StoreKind } from '../support/test-build.js';

jest.setTimeout(300_000);

const STEPS = M.map(({ name }) => name);

/** What happens to the build while one of its steps runs. */
type Mishap = 'none' | 'fails' | 'terminated' | 'killed';

interface Command {
  /** A build from nothing, `-R`, or `-r` with a step's number. */
  readonly start: 'empty' | 'latest' | number;
  readonly pauseBefore: number | null;
  readonly mishap: Mishap;
  readonly mishapIn: number;
}

const commands = fc.array(
  fc.record<Command>({
    start: fc.oneof(fc.constantFrom('empty' as const, 'latest' as const), fc.nat({ max: STEPS.length - 1 })),
    pauseBefore: fc.option(fc.nat({ max: STEPS.length - 1 }), { nil: null, freq: 3 }),
    mishap: fc.constantFrom<Mishap>('none', 'none', 'fails', 'terminated', 'killed'),
    mishapIn: fc.nat({ max: STEPS.length - 1 }),
  }),
  { minLength: 1, maxLength: 6 },
);

/** What distro_const's semantics say; `latest` is the last step a build can resume at, -1 without any. */
interface Model {
  latest: number;
}

interface Expectation {
  readonly status: number | undefined;
  /** Steps that were started, by number. */
  readonly ran: readonly number[];
  /** Steps whose work is in the workspace afterwards; `null`: nothing was touched. */
  readonly kept: readonly number[] | null;
}

function expectation(model: Model, { start, pauseBefore, mishap, mishapIn }: Command): Expectation {
  const first = start === 'empty' ? 0 : start === 'latest' ? model.latest : start;
  const nothing = { ran: [], kept: null };
  // Between two named steps the order is wrong whatever there is to resume; -R first needs something.
  if (typeof start === 'number' && pauseBefore !== null && pauseBefore <= start)
    return { status: 2, ...nothing };
  if (start !== 'empty' && (model.latest < 0 || first > model.latest)) return { status: 1, ...nothing };
  if (start === 'latest' && pauseBefore !== null && pauseBefore <= first) return { status: 2, ...nothing };
  const end = pauseBefore ?? STEPS.length;
  const stopsAt = mishap !== 'none' && mishapIn >= first && mishapIn < end ? mishapIn : null;
  model.latest = stopsAt ?? Math.min(end, STEPS.length - 1);
  const status = stopsAt === null ? 0 : { none: 0, fails: 1, terminated: 143, killed: undefined }[mishap];
  return { status, ran: range(first, stopsAt === null ? end : stopsAt + 1), kept: range(0, stopsAt ?? end) };
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}

function names(numbers: readonly number[]): readonly string[] {
  return numbers.map((number) => STEPS[number] ?? '');
}

async function perform(build: TestBuild, { start, pauseBefore, mishap, mishapIn }: Command): Promise<Run> {
  const step = STEPS[mishapIn] ?? '';
  if (mishap !== 'none') await build.behave(step, mishap === 'fails' ? 'exit 3' : 'sleep 1000');
  const resume = start === 'empty' ? [] : start === 'latest' ? ['-R'] : ['-r', String(start)];
  const pause = pauseBefore === null ? [] : ['-p', String(pauseBefore)];
  const running = build.start(['build', ...resume, ...pause, 'M']);
  const ended = running.ended;
  if (mishap === 'terminated' || mishap === 'killed') {
    const isOver = ended.then(() => true);
    while (!(await Promise.race([isOver, later(10)])) && !(await build.truthSoFar()).includes(step));
    if (!(await Promise.race([isOver, later(0)]))) running.kill(mishap === 'killed' ? 'SIGKILL' : 'SIGTERM');
  }
  const result = await ended;
  await build.behave(step, null);
  return result;
}

async function later(ms: number): Promise<false> {
  await new Promise((done) => setTimeout(done, ms));
  return false;
}

describe.each<[StoreKind, number]>([
  ['zfs', IS_DEEP ? 8 : 4],
  ['folder', IS_DEEP ? 16 : 8],
])('distro_const on %s, through any sequence of builds, pauses, failures and kills', (kind, numRuns) => {
  it('does what the model of its semantics says', async () => {
    await fc.assert(
      fc.asyncProperty(commands, async (sequence) => {
        const build = await TestBuild.create(kind);
        try {
          const model: Model = { latest: -1 };
          let kept: readonly number[] = [];
          for (const command of sequence) {
            const expected = expectation(model, command);
            kept = expected.kept ?? kept;
            const { status, stderr } = await perform(build, command);
            const seen = {
              status,
              ran: await build.truth(),
              kept: await build.trace(),
              resumable: await build.resumable(),
              stderr: status === expected.status ? '' : stderr,
            };
            expect(seen).toEqual({
              status: expected.status,
              ran: names(expected.ran),
              kept: names(kept),
              resumable: names(range(0, model.latest + 1)),
              stderr: '',
            });
          }
        } finally {
          await build.remove();
        }
      }),
      { numRuns },
    );
  });
});
