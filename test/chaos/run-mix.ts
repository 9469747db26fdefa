import { setTimeout as sleep } from 'node:timers/promises';
import type { BuildId } from '#libs/contracts';
import { checkHistory } from './check-history.js';
import { imageOf, type Violation } from './invariants/evidence.js';
import type { ChaosFarm } from './chaos-farm.js';
import { collectEvidence, type Undisturbed } from './collect-evidence.js';
import { FAULTS, type Fault } from './faults.js';
import type { Mix, PlannedFault } from './plan-mix.js';
import type { Operation } from './history.js';
import { Random } from './random.js';
import { EDITIONS, IMAGES, VARIANTS, type Edition } from './toy-image.js';

export interface MixResult {
  readonly violations: readonly Violation[];
  readonly injected: readonly Injected[];
  /** What was done, in order. */
  readonly operations: readonly Operation[];
}

/** How a fault went. */
export interface Injected {
  readonly fault: string;
  /** The step or lane where it hit; `null`: nowhere in particular. */
  readonly where: string | null;
  /** Builds that were on their way then. */
  readonly touched: readonly BuildId[];
  /** From its begin until a step began that was not yet running then; `null`: none had to. */
  readonly goesOnMs: number | null;
}

const GIVE_UP_MS = 300_000;

/** Submits builds, does what is planned, has everything work again, waits for the builds to end, and looks at all that is known. */
export async function runMix(chaos: ChaosFarm, mix: Mix, undisturbed: Undisturbed): Promise<MixResult> {
  const firstOperation = chaos.history.operations.length;
  const builds: BuildId[] = [];
  const lookingAfter = new AbortController();
  const lookedAfter = lookAfter(chaos, builds, lookingAfter.signal);
  const submitted = Promise.all(
    Array.from({ length: mix.builds }, async (_, index) => {
      await sleep(index * mix.submitEveryMs);
      builds.push(await chaos.submit(`${mix.seed}#${index}`));
    }),
  );
  const watched = await Promise.all(mix.faults.map((planned) => inject(chaos, planned)));
  await chaos.heal();
  await submitted;
  lookingAfter.abort();
  await lookedAfter;
  await recover(chaos, builds);
  const injected = await Promise.all(watched.map(({ wentOn, ...rest }) => withTime(rest, wentOn)));
  const evidence = await collectEvidence(chaos, builds, undisturbed, firstOperation);
  // Also of builds of earlier mixes, to which something may have happened since; what was wrong with them then was said then.
  const violations = chaos.notSaidYet(checkHistory(evidence));
  return { violations, injected, operations: evidence.operations };
}

/** While faults are at work, a person has builds go on that have failed. */
async function lookAfter(chaos: ChaosFarm, builds: readonly BuildId[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const id of builds) {
      if ((await chaos.build(id)).state === 'failed') await chaos.steer('resume', id);
    }
    await sleep(500);
  }
}

/** Digests of the images of builds that nobody disturbs, each from nothing. */
export async function buildUndisturbed(chaos: ChaosFarm): Promise<Undisturbed> {
  const editions = EDITIONS.map(async (edition) => [edition, await buildEdition(chaos, edition)] as const);
  return new Map(await Promise.all(editions));
}

async function buildEdition(chaos: ChaosFarm, edition: Edition): Promise<ReadonlyMap<string, string>> {
  const key = `undisturbed ${edition}`;
  const text = Buffer.from(key).toString('hex');
  const id = await chaos.submit(key, { edition, salt: { step: 'pop', text } }, false);
  const { state, summary } = await chaos.farm.atRest(id);
  if (state !== 'succeeded') throw new Error(`the undisturbed build ${state}: ${summary}`);
  const artifacts = await chaos.farm.artifacts(id);
  const digests = artifacts.filter(({ name }) => (IMAGES as readonly string[]).includes(name));
  if (digests.length !== IMAGES.length * VARIANTS.length)
    throw new Error('the undisturbed build has not all images');
  return new Map(digests.map(({ variant, name, sha256 }) => [imageOf(variant, name), sha256]));
}

export function faultNamed(name: string): Fault {
  const fault = FAULTS.find((each) => each.name === name);
  if (fault === undefined) throw new RangeError(`there is no fault ${name}`);
  return fault;
}

interface Watched extends Omit<Injected, 'goesOnMs'> {
  readonly wentOn: Promise<number>;
}

async function inject(chaos: ChaosFarm, { fault: name, afterMs, seed }: PlannedFault): Promise<Watched> {
  await sleep(afterMs);
  const { farm, history } = chaos;
  const touched = underWay(chaos);
  const from = farm.events.lastSeq;
  const { at } = history.record({ actor: 'chaos', name, phase: 'invoke', data: { fault: seed } });
  const wentOn = farm.events
    .until(({ type }) => type === 'step-started', from)
    .then(() => performance.now() - at);
  const where = await faultNamed(name).inject(chaos, new Random(seed));
  history.record({ actor: 'chaos', name, phase: 'ok', data: { fault: seed, where } });
  return { fault: name, where, touched, wentOn };
}

/** All builds have ended by now: what has not gone on had no more steps. */
async function withTime(injected: Omit<Injected, 'goesOnMs'>, wentOn: Promise<number>): Promise<Injected> {
  const ms = await Promise.race([wentOn, sleep(0, null)]);
  return { ...injected, goesOnMs: injected.touched.length === 0 ? null : ms };
}

function underWay({ farm }: ChaosFarm): readonly BuildId[] {
  const open = new Set<BuildId>();
  for (const { type, build } of farm.events.all) {
    if (build === null) continue;
    if (type === 'build-submitted' || type === 'build-resumed') open.add(build);
    if (type === 'build-ended') open.delete(build);
  }
  return [...open];
}

/** A person looks after each build: one that is at rest before its end is told to go on. */
async function recover(chaos: ChaosFarm, builds: readonly BuildId[]): Promise<void> {
  const { at: from } = chaos.history.record({ actor: 'chaos', name: 'recover', phase: 'invoke' });
  const open = new Set(builds);
  while (open.size > 0 && performance.now() - from < GIVE_UP_MS) {
    for (const id of open) {
      const { state } = await chaos.build(id);
      if (state === 'succeeded') open.delete(id);
      else if (state !== 'running' && state !== 'waiting') await chaos.steer('resume', id);
    }
    await sleep(100);
  }
  const ms = performance.now() - from;
  chaos.history.record({
    actor: 'chaos',
    name: 'recover',
    phase: open.size === 0 ? 'ok' : 'fail',
    data: { ms },
  });
  const wanted = await chaos.build(builds[0]!);
  while (chaos.farm.events.lastSeq < wanted.eventSeq)
    await chaos.farm.events.more(chaos.farm.events.all.length);
}
