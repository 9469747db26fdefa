import { setTimeout as sleep } from 'node:timers/promises';
import type { BuildId } from '#libs/contracts';
import { checkHistory } from './check-history.js';
import type { Evidence, Violation } from './invariants/evidence.js';
import { LEASE_MS, type AgentHost, type ChaosFarm } from './chaos-farm.js';
import { collectEvidence, type Undisturbed } from './collect-evidence.js';
import { moveElsewhere } from './faults.js';
import type { Kill } from './kill-points.js';
import { Random } from './random.js';

export interface KillsResult {
  readonly outcomes: readonly KillOutcome[];
  readonly builds: number;
  /** How many builds a person had to have go on, since a job of theirs was given up after three tries. */
  readonly helped: number;
  readonly violations: readonly Violation[];
  /** Whether builds went by in which nothing was hit any more: then all places were. */
  readonly isComplete: boolean;
}

/** What came of one. */
export interface KillOutcome {
  readonly kill: Kill;
  /** Which agent had the job next; `null`: it had ended, or goes on as it was. */
  readonly wentOnBy: 'itself' | 'another' | null;
  /** Steps of the job that had begun by then, and began once more. */
  readonly ranAgain: readonly string[];
  /** Until the farm told of that build again; `null`: there was nothing more to tell. */
  readonly goesOnMs: number | null;
  /** The build succeeded by itself, bit for bit, and no rule was violated. */
  readonly isWhole: boolean;
}

const OPEN_BUILDS = 4;
/** So many in a row in which nobody is killed: nothing new is met any more. */
const QUIET_BUILDS = 6;
const MOST_BUILDS = 250;
const GIVE_UP_MS = 240_000;
/** What the farm says of a job that it tries no more. */
const GIVEN_UP = 'given up after 2 retries';
/** Each third one comes back only when its jobs are with others. */
const LATE_MS = LEASE_MS * 1.5;

/**
 * Has builds go by until agents, or the coordinator, have been killed once at every place that any of them comes to. A person helps only where the farm has given a job up.
 */
export async function runKills(
  chaos: ChaosFarm,
  program: 'agent' | 'coordinator',
  seed: string,
  undisturbed: Undisturbed,
): Promise<KillsResult> {
  const known = chaos.killPoints.kills.length;
  const firstOperation = chaos.history.operations.length;
  const builds: BuildId[] = [];
  const stop = new AbortController();
  const reviving =
    program === 'agent' ? reviveAgents(chaos, stop.signal) : reviveCoordinator(chaos, stop.signal);
  chaos.killPoints.arm(program);
  const helped = new Set<BuildId>();
  const isComplete = await buildUntilQuiet(chaos, seed, builds, helped);
  chaos.killPoints.arm(null);
  stop.abort();
  await reviving;
  await chaos.heal();
  const evidence = await collectEvidence(chaos, builds, undisturbed, firstOperation);
  const violations = chaos.notSaidYet(checkHistory(evidence));
  const kills = chaos.killPoints.kills.slice(known);
  const outcomes = kills.map((kill) => outcomeOf(kill, evidence, violations));
  return { outcomes, builds: builds.length, helped: helped.size, violations, isComplete };
}

/** Resolves to whether the last builds went by in peace. */
async function buildUntilQuiet(
  chaos: ChaosFarm,
  seed: string,
  builds: BuildId[],
  helped: Set<BuildId>,
): Promise<boolean> {
  let quiet = 0;
  const submitOne = async (): Promise<void> => {
    const number = builds.length;
    const id = await chaos.submit(`${seed}/${number}`);
    builds.push(id);
    // Else no checkpoint is ever fetched from another agent.
    if (number % 2 === 1) await moveOne(chaos, id, new Random(`${seed}/move/${number}`));
    await untilEnd(chaos, id, helped);
    quiet = chaos.killPoints.kills.some(({ build }) => build === id) ? 0 : quiet + 1;
  };
  const turns = Array.from({ length: OPEN_BUILDS }, async () => {
    while (quiet < QUIET_BUILDS && builds.length < MOST_BUILDS) await submitOne();
  });
  await Promise.all(turns);
  return quiet >= QUIET_BUILDS;
}

/** Once its first step runs. */
async function moveOne(chaos: ChaosFarm, id: BuildId, random: Random): Promise<void> {
  const begun = chaos.farm.events.until(({ type, build }) => type === 'step-started' && build === id);
  await Promise.race([begun, sleep(GIVE_UP_MS)]);
  await moveElsewhere(chaos, random, await chaos.build(id));
}

/** Returns without an end where there is none: the checker says so. */
async function untilEnd(chaos: ChaosFarm, id: BuildId, helped: Set<BuildId>): Promise<void> {
  for (let waited = 0; waited < GIVE_UP_MS; waited += 200) {
    const { state, summary } = await chaos.build(id);
    if (state === 'failed' && summary.includes(GIVEN_UP)) {
      helped.add(id);
      await chaos.steer('resume', id);
    } else if (state !== 'running' && state !== 'waiting') return;
    await sleep(200);
  }
}

async function reviveAgents(chaos: ChaosFarm, signal: AbortSignal): Promise<void> {
  const reviving = new Map<AgentHost, Promise<void>>();
  let count = 0;
  while (!signal.aborted) {
    for (const host of chaos.hosts) {
      if (chaos.agentOn(host).isRunning || reviving.has(host)) continue;
      const afterMs = (count += 1) % 3 === 0 ? LATE_MS : 0;
      const revived = sleep(afterMs).then(() => {
        chaos.agentOn(host).start();
        reviving.delete(host);
      });
      reviving.set(host, revived);
    }
    await sleep(50);
  }
  await Promise.all(reviving.values());
}

async function reviveCoordinator(chaos: ChaosFarm, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if (!chaos.farm.coordinators[0]!.isRunning) chaos.farm.coordinators[0]!.start();
    await sleep(50);
  }
}

function outcomeOf(kill: Kill, evidence: Evidence, violations: readonly Violation[]): KillOutcome {
  const { builds, events, truth } = evidence;
  const found = builds.find(({ detail }) => detail.id === kill.build);
  const job = found?.detail.jobs.find(({ attempts }) => attempts.some(({ id }) => id === kill.attempt));
  const next = job?.attempts.find(({ startedAt }) => startedAt !== null && startedAt > kill.wall);
  const isLater = ({ build, at }: { readonly build: string | null; readonly at: number }): boolean =>
    build === kill.build && at > kill.wall;
  const goesOn = events.find(isLater);
  const area = `${kill.build ?? ''}.${job?.variant ?? ''}`;
  const begun = truth.filter((line) => line.what === 'begin' && line.area === area);
  const ranAgain = (job?.steps ?? [])
    .map(({ name }) => name)
    .filter((name) => {
      const walls = begun.filter(({ step }) => step === name).map(({ wall }) => wall);
      return walls.some((wall) => wall <= kill.wall) && walls.some((wall) => wall > kill.wall);
    });
  return {
    kill,
    wentOnBy: next === undefined ? null : next.agentName === kill.program ? 'itself' : 'another',
    ranAgain,
    goesOnMs: goesOn === undefined || kill.build === null ? null : goesOn.at - kill.wall,
    isWhole:
      // A build whose submission was never committed is none.
      (found === undefined || found.detail.state === 'succeeded') &&
      !violations.some(({ build }) => build === null || build === kill.build),
  };
}
