// Needs redis-server, PostgreSQL's server packages, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { EventType } from '#libs/contracts';
import { IS_DEEP } from '../support/depth.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

const KINDS: readonly EventType[] = [
  'build-submitted',
  'job-assigned',
  'job-started',
  'step-started',
  'step-ended',
  'checkpoint-taken',
  'artifact-published',
  'job-ended',
];

/** In front of all work, in the middle of it, and behind it. */
const SOME_KINDS: readonly EventType[] = ['build-submitted', 'checkpoint-taken', 'job-ended'];

const STEPS = [{ name: 'a' }, { name: 'b', body: 'echo b > "$5/b"' }, { name: 'c' }];

describe.each([
  ['sqlite', KINDS],
  ['postgres', IS_DEEP ? KINDS : SOME_KINDS],
] as const)('a coordinator that is killed, on %s', (database, kinds) => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start({ database, agents: 1 });
  });
  afterAll(() => farm.stop());

  it.each(kinds)('at %s, costs the build nothing', async (kind) => {
    const scenario = farm.scenario(STEPS);
    const known = farm.events.lastSeq;
    const reached = farm.events
      .until(({ type }) => type === kind, known)
      .then(() => farm.coordinators[0]!.kill9());
    // Its answer may be lost with the coordinator.
    const idempotencyKey = kind;
    await farm.submit(scenario, { idempotencyKey }).catch(() => null);
    await reached;
    await farm.startCoordinator();
    const id = await farm.submit(scenario, { idempotencyKey });
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded', steps: { done: 3 } });
    expect(await scenario.truth()).toEqual(
      ['a', 'b', 'c'].flatMap((step) => [`${step} begin`, `${step} end`]),
    );
    expect((await farm.artifacts(id)).map(({ name }) => name)).toEqual(['b']);
    const [job] = (await farm.build(id)).jobs;
    // An assignment that was on its way to the agent is lost with the coordinator, and given again: nobody's fault.
    expect(job?.retries).toBe(0);
  });

  it('leaves an event sequence without holes or repeats', () => {
    const seqs = farm.events.all.map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from(seqs, (_, index) => index + 1));
  });
});
