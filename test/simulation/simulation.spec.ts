import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { afterAttempt } from '../../apps/coordinator/src/decide/after-attempt.js';
import { expiredAttempts } from '../../apps/coordinator/src/decide/lease-policy.js';
import { placeJobs } from '../../apps/coordinator/src/decide/place-jobs.js';
import { planResume } from '../../apps/coordinator/src/decide/plan-resume.js';
import { findBase, findResumableInJob } from '#libs/plan';
import { LEASE_MS, RULES, type Rules } from './rules.js';
import { anySchedule, schedules, type Schedule } from './schedule.js';
import { Violation } from './watch.js';
import { World } from './world.js';

const RUNS = Number(process.env['SIMULATION_RUNS'] ?? 1_500);
/** A short run is the same each time, so that nobody meets what another's change has not caused; a longer one is new. */
const SEED =
  process.env['SIMULATION_SEED'] ?? (process.env['SIMULATION_RUNS'] === undefined ? '1' : undefined);
/** Within so many runs a rule that is broken is found; always the same ones, so that the test is no matter of luck. */
const RUNS_TO_FIND = 5_000;

describe('a simulated farm', () => {
  it('keeps its promises whatever goes wrong', () => {
    let events = 0;
    const { user } = process.cpuUsage();
    const property = fc.property(anySchedule, (schedule) => {
      const world = new World(schedule);
      world.run();
      events += world.events;
    });
    fc.assert(property, { numRuns: RUNS, ...(SEED === undefined ? {} : { seed: Number(SEED) }) });
    const seconds = (process.cpuUsage().user - user) / 1_000_000;
    if (process.env['SIMULATION_RUNS'] !== undefined)
      console.log(
        `${RUNS} runs of ${Math.round(events / RUNS)} events, ${Math.round(RUNS / seconds)} a second`,
      );
  }, 86_400_000);

  it('goes the same way each time', () => {
    const schedule = fc.sample(anySchedule, { numRuns: 1, seed: 1 })[0]!;
    const runs = [1, 2].map(() => {
      const world = new World(schedule);
      world.run();
      return [world.events, world.now, [...world.coordinator.outputs]];
    });
    expect(runs[0]).toEqual(runs[1]);
  });
});

describe('the simulation finds', () => {
  const broken: readonly [string, Partial<Rules>, RegExp, fc.Arbitrary<Schedule>?][] = [
    ['that reports of an attempt that is over count', { refusesStale: false }, /stale report/],
    ['that reports count again', { refusesRepeated: false }, /stale report/],
    ['that a message is believed without the record', { claimsOnce: false }, /handed out twice|went from/],
    ['that a repeated hello is taken for a new one', { heedsHelloOnce: false }, /./],
    [
      'that a late heartbeat takes an assignment back',
      { heedsEarlierHeartbeat: false },
      /never arrived/,
      schedules(['flush'], 30),
    ],
    [
      'an agent that stops its step after the coordinator gave it away',
      { selfStopMs: 2 * LEASE_MS },
      /run steps of/,
      schedules(['cut']),
    ],
    [
      'an agent that counts its lease from when the answer came',
      { grantedAtMs: (_sent, _waited, receivedAtMs) => receivedAtMs },
      /run steps of/,
      // The network has to be slower than it is elsewhere here.
      fc.constant<Schedule>({
        shape: 0,
        agents: 2,
        noise: 42,
        seed: 1613036437,
        faults: [
          { kind: 'cut', at: 13430, agent: 0, forMs: 75997, direction: 'to' },
          { kind: 'kill', at: 3507, agent: 0, forMs: 5581, losesTail: false },
        ],
      }),
    ],
    ['an agent that never stops by itself', { runOut: () => [] }, /run steps of/, schedules(['cut'])],
    [
      'that retries have no bound',
      { afterAttempt: (job, end) => afterAttempt({ ...job, retries: 0 }, end) },
      /was tried/,
    ],
    [
      'a coordinator that finds leases run out when it has just started',
      { expiredAttempts: (open, now, _, leaseMs) => expiredAttempts(open, now, -Infinity, leaseMs) },
      /just started/,
    ],
    [
      'a coordinator that does not wait for the end of a lease',
      {
        expiredAttempts: (open, now, since, leaseMs) =>
          expiredAttempts(open, now + leaseMs / 2, since, leaseMs),
      },
      /after it was renewed/,
    ],
    ['a coordinator that looks for nobody', { expiredAttempts: () => [] }, /nobody noticed/],
    [
      'that a job goes on from what another attempt left under the same name',
      {
        findBase: (checkpoints, base) =>
          checkpoints.find(({ label, facts }) => label === base.label && facts['build'] === base.lineage) ??
          findBase(checkpoints, base),
        // It is not sent where the right one is.
        placeJobs: ({ jobs, ...input }) =>
          placeJobs({ ...input, jobs: jobs.map((job) => ({ ...job, wants: { ...job.wants, base: null } })) }),
      },
      /what counts of step/,
    ],
    ['that nothing is fetched from others', { missingCheckpoints: () => [] }, /is held/],
    [
      'that what was set back is gone on from',
      {
        findResumableInJob: (plan, job, checkpoints, lineage) => {
          const upTo = plan.steps.at(-1)!.name;
          const ancestry = lineage.ancestry.map((each) => ({ ...each, upTo }));
          return findResumableInJob(plan, job, checkpoints, { ...lineage, ancestry });
        },
      },
      /was to run again/,
      schedules(['user-pause', 'user-resume-from']),
    ],
    [
      'that what depends on a step that runs again is kept',
      {
        planResume: (jobs, steps, from) => {
          const plan = planResume(jobs, steps, from);
          if (plan.kind === 'refused') return plan;
          return { ...plan, jobs: plan.jobs.filter(({ setBack }) => setBack?.ancestry.length !== 0) };
        },
      },
      /./,
      schedules(['fail-step', 'user-resume-from']),
    ],
  ];

  it.each(broken)('%s', (_, rules, words, some = anySchedule) => {
    const property = fc.property(some, (schedule) => {
      new World(schedule, { ...RULES, ...rules }).run();
    });
    const { failed, errorInstance, counterexample, numRuns } = fc.check(property, {
      numRuns: RUNS_TO_FIND,
      endOnFailure: true,
      seed: 1,
    });
    expect(failed).toBe(true);
    expect(errorInstance).toBeInstanceOf(Violation);
    expect(String(errorInstance)).toMatch(words);
    // With the rule in place, the same schedule keeps all promises.
    new World(counterexample![0]).run();
    if (process.env['SIMULATION_RUNS'] !== undefined)
      console.log(`found in run ${numRuns}: ${String(errorInstance)}`);
  });
});
