import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Artifact, AttemptId, BuildDetail, BuildId } from '#libs/contracts';
import {
  imageOf,
  type BuildEvidence,
  type Evidence,
  type Limits,
  type LogEvidence,
  type TraceEvidence,
} from './invariants/evidence.js';
import { LEASE_MS, type ChaosFarm } from './chaos-farm.js';
import { findLeft, undelivered } from './find-left.js';

import {
  LINES_OF_STEP,
  tasteOf,
  tasteOfStep,
  TOY_IMAGE_LANES,
  TOY_STEPS,
  TRACES,
  VARIANTS,
  type Edition,
} from './toy-image.js';
import { readTruth } from './truth-log.js';

/** With a lease of 5 s in the place of 70, three times what the reference asks of Redis and a lost agent: the machine may be busy. */
const LIMITS: Limits = { recoverMs: 24 * LEASE_MS, cancelMs: 6 * LEASE_MS };

const DELIVERY_MS = 60_000;

/** Digests by edition, of each image by `imageOf`. */
export type Undisturbed = ReadonlyMap<Edition, ReadonlyMap<string, string>>;

/** All that is known of the builds, of a farm at rest. */
export async function collectEvidence(
  chaos: ChaosFarm,
  builds: readonly BuildId[],
  undisturbed: Undisturbed,
  firstOperation: number,
): Promise<Evidence> {
  await untilDelivered(chaos);
  const evidence = await Promise.all(builds.map((id) => collectBuild(chaos, id, undisturbed)));
  return {
    operations: chaos.history.operations.slice(firstOperation),
    events: chaos.farm.events.all,
    truth: await readTruth(chaos.truthFolder),
    builds: evidence,
    origins: await originsOf(
      chaos,
      evidence.map(({ detail }) => detail),
    ),
    steps: TOY_STEPS.map(({ name, after, lane }) => ({
      name,
      after,
      image: lane !== undefined && TOY_IMAGE_LANES.includes(lane) ? lane : null,
    })),
    linesOfStep: LINES_OF_STEP,
    left: await findLeft(chaos),
    limits: LIMITS,
  };
}

/** What agents still have to tell of what is over comes within moments; what does not is among what is left. */
async function untilDelivered(chaos: ChaosFarm): Promise<void> {
  for (let waited = 0; waited < DELIVERY_MS; waited += 200) {
    const spools = await Promise.all(chaos.hosts.map(async (host) => await undelivered(chaos, host)));
    if (spools.flat().length === 0) return;
    await sleep(200);
  }
}

/** The builds from which these have taken steps over, and those from which they have. */
async function originsOf(
  chaos: ChaosFarm,
  builds: readonly BuildDetail[],
): Promise<ReadonlyMap<BuildId, BuildDetail>> {
  const known = new Map(builds.map((detail) => [detail.id, detail]));
  for (const { jobs } of known.values())
    for (const { reusedFrom } of jobs.flatMap(({ steps }) => steps))
      if (reusedFrom !== null && !known.has(reusedFrom)) known.set(reusedFrom, await chaos.build(reusedFrom));
  return known;
}

async function collectBuild(chaos: ChaosFarm, id: BuildId, undisturbed: Undisturbed): Promise<BuildEvidence> {
  const { farm } = chaos;
  const detail = await chaos.build(id);
  const { artifacts } = await chaos.ask<{ artifacts: Artifact[] }>(`/builds/${id}/artifacts`);
  const traces: TraceEvidence[] = [];
  const served = new Map<string, string>();
  for (const { name, variant } of artifacts) {
    const bytes = await farm.bytes(`/builds/${id}/artifacts/${variant}/${name}`);
    if ((TRACES as readonly string[]).includes(name)) traces.push({ variant, text: bytes.toString() });
    else served.set(imageOf(variant, name), createHash('sha256').update(bytes).digest('hex'));
  }
  const logs = new Map<AttemptId, LogEvidence>();
  for (const attempt of detail.jobs.flatMap(({ attempts }) => attempts)) {
    if (attempt.startedAt !== null) logs.set(attempt.id, await logOf(chaos, attempt.id));
  }
  const taste = tasteOf(detail.note);
  const tastes = VARIANTS.flatMap((variant) =>
    TOY_STEPS.map(({ name }) => [`${variant}/${name}`, tasteOfStep(taste, variant, name)] as const),
  );
  return {
    ...{ detail, artifacts, served, traces, logs },
    tastes: new Map(tastes),
    undisturbed: undisturbed.get(taste.edition) ?? new Map(),
  };
}

async function logOf({ farm }: ChaosFarm, attempt: AttemptId): Promise<LogEvidence> {
  const { headers, body } = await farm.admin.download(`/api/v1/attempts/${attempt}/log`);
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return {
    text: Buffer.concat(chunks).toString(),
    missing: Number(headers['distrofarm-log-missing']),
    breaksOff: headers['distrofarm-log-breaks-off'] === 'true',
  };
}
