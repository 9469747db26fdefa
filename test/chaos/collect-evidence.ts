import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Artifact, AttemptId, BuildId } from '#libs/contracts';
import type { BuildEvidence, Evidence, Limits, LogEvidence } from './invariants/evidence.js';
import { LEASE_MS, type ChaosFarm } from './chaos-farm.js';
import { findLeft, undelivered } from './find-left.js';

import { LINES_OF_STEP, TOY_IMAGE_LANES, TOY_STEPS, TRACES } from './toy-image.js';
import { readTruth } from './truth-log.js';

/** With a lease of 5 s in the place of 70, three times what the reference asks of Redis and a lost agent: the machine may be busy. */
const LIMITS: Limits = { recoverMs: 24 * LEASE_MS, cancelMs: 6 * LEASE_MS };

const DELIVERY_MS = 60_000;

/** All that is known of the builds, of a farm at rest. */
export async function collectEvidence(
  chaos: ChaosFarm,
  builds: readonly BuildId[],
  undisturbed: ReadonlyMap<string, string>,
  firstOperation: number,
): Promise<Evidence> {
  await untilDelivered(chaos);
  const isOurs = (build: string | null): boolean => builds.includes(build as BuildId);
  const evidence = await Promise.all(builds.map((id) => collectBuild(chaos, id)));
  const truth = await readTruth(chaos.truthFolder);
  return {
    operations: chaos.history.operations.slice(firstOperation),
    events: chaos.farm.events.all,
    truth: truth.filter(({ area }) => isOurs(area.split('.')[0] ?? null)),
    builds: evidence,
    steps: TOY_STEPS.map(({ name, after, lane }) => ({
      name,
      after,
      image: lane !== undefined && TOY_IMAGE_LANES.includes(lane) ? lane : null,
    })),
    linesOfStep: LINES_OF_STEP,
    undisturbed,
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

async function collectBuild(chaos: ChaosFarm, id: BuildId): Promise<BuildEvidence> {
  const { farm } = chaos;
  const detail = await chaos.build(id);
  const { artifacts } = await chaos.ask<{ artifacts: Artifact[] }>(`/builds/${id}/artifacts`);
  const traces: string[] = [];
  const served = new Map<string, string>();
  for (const { name, variant } of artifacts) {
    const bytes = await farm.bytes(`/builds/${id}/artifacts/${variant}/${name}`);
    if ((TRACES as readonly string[]).includes(name)) traces.push(bytes.toString());
    else served.set(name, createHash('sha256').update(bytes).digest('hex'));
  }
  const logs = new Map<AttemptId, LogEvidence>();
  for (const attempt of detail.jobs.flatMap(({ attempts }) => attempts)) {
    if (attempt.startedAt !== null) logs.set(attempt.id, await logOf(chaos, attempt.id));
  }
  return { detail, artifacts, served, traces, logs };
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
