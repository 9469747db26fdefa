import { type AgentId, type Assignment, type BuildId, type Holding, type PackedTree } from '#libs/contracts';
import type { Kysely } from 'kysely';
import {
  checkpointsOfKeys,
  checkpointsOfLineages,
  findAgent,
  findBuild,
  findJob,
  jobsOfVariant,
  keysOfJob,
  lineageOf,
  manifestText,
  outputsOfFingerprints,
  outputsOfJobs,
  stepsOfJob,
  variantsOf,
  type AttemptRow,
  type BuildRow,
  type CheckpointRow,
  type Flag,
  type JobRow,
  type OutputRow,
  type Schema,
} from '#libs/store';
import { canSendTo, peerOf } from '../decide/can-send-to.js';
import { chooseReusable } from '../decide/choose-reusable.js';
import { boundaryPosition } from '../scheduling/job-progress.js';

/** Everything an agent has to know of the attempt it fetched. Throws RangeError when the record is broken. */
export async function makeAssignment(
  db: Kysely<Schema>,
  attempt: AttemptRow,
  token: string,
  publishEnd: boolean,
): Promise<Assignment> {
  const job = require_(await findJob(db, attempt.job_id), 'job');
  const build = require_(await findBuild(db, attempt.build_id), 'build');
  const variants = await variantsOf(db, build.id);
  const variant = require_(
    variants.find(({ id }) => id === job.variant_id),
    'variant',
  );
  const siblings = await jobsOfVariant(db, job.variant_id);
  const outputs = await outputsOfJobs(
    db,
    siblings.map(({ id }) => id),
  );
  const ancestry = job.ancestry.map(({ generation, upTo }) => ({
    lineage: lineageOf(build.id, variant.name, job.index, generation),
    upTo,
  }));
  const keys = await keysOfJob(db, job.id);
  const fingerprints = await fingerprintsOf(db, job, keys);
  return {
    attempt: attempt.id,
    epoch: attempt.epoch,
    token,
    waitedMs: 0,
    build: build.id,
    job: job.id,
    variant: variant.name,
    jobIndex: job.index,
    area: areaOf(build.id, variant.name),
    lineage: attempt.lineage,
    manifest: require_(await manifestText(db, build.manifest_sha256), 'manifest'),
    manifestPath: build.manifest_path,
    files: build.files.map(({ path, executable, sha256, bytes }) => ({ path, executable, sha256, bytes })),
    sourceDateEpoch: build.source_date_epoch,
    planContentSha256: variant.plan_content_sha256,
    ancestry,
    pauseBefore: build.pause_before,
    imports: job.imports.map(({ lane, path, job: writer }) => ({
      lane,
      path,
      tree: require_(treeOf(outputs, siblings, writer, path), `output ${path} of lane ${lane}`),
    })),
    keys,
    ...(fingerprints.length === 0 ? {} : { fingerprints }),
    base: baseFor(build, variant.name, job, siblings, outputs),
    elsewhere: await toFetch(
      db,
      attempt,
      await heldElsewhere(db, attempt, [attempt.lineage, ...ancestry.map(({ lineage }) => lineage)]),
    ),
    reuse: build.reuse === 1 && job.generation === 1 ? await reusable(db, attempt, keys, build.trusted) : [],
    publishEnd: publishEnd && job.end_label !== null,
    ...(build.replicas > 0 ? { copies: build.waits_for_replicas === 1 ? 'each' : 'one-behind' } : {}),
  };
}

/** Of the steps whose keys rest on one. */
async function fingerprintsOf(
  db: Kysely<Schema>,
  { id, variant_id, end_key }: JobRow,
  keys: readonly (string | null)[],
): Promise<NonNullable<Assignment['fingerprints']>> {
  const outputs = await outputsOfFingerprints(db, variant_id);
  if (outputs.size === 0) return [];
  const steps = await stepsOfJob(db, id);
  return steps.flatMap(({ index }, at) => {
    const output = outputs.get(index);
    const keyBehind = keys[at + 1] ?? (at === steps.length - 1 ? end_key : null);
    return output === undefined || keyBehind === null ? [] : [{ step: index, output }];
  });
}

/** What the agent could fetch of these lineages. */
async function heldElsewhere(
  db: Kysely<Schema>,
  attempt: AttemptRow,
  lineages: readonly string[],
): Promise<Holding[]> {
  const all = (await checkpointsOfLineages(db, lineages)).filter(
    ({ agentId }) => agentId !== attempt.agent_id,
  );
  const senders = await sendersTo(db, attempt, all);
  return all
    .filter(({ agentId }) => senders.has(agentId))
    .slice(0, MOST_ELSEWHERE)
    .map(holdingOf);
}

/** What jobs of other lineages made that equals a boundary of this one, as far as the agent has it or can fetch it. */
async function reusable(
  db: Kysely<Schema>,
  attempt: AttemptRow,
  keys: readonly (string | null)[],
  trusted: Flag,
): Promise<Assignment['reuse']> {
  const all = (
    await checkpointsOfKeys(
      db,
      keys.filter((key) => key !== null),
      trusted,
    )
  ).filter(({ lineage }) => lineage !== attempt.lineage);
  const isHere = ({ agentId }: CheckpointRow): boolean => agentId === attempt.agent_id;
  const senders = await sendersTo(
    db,
    attempt,
    all.filter((row) => !isHere(row)),
  );
  const upTo = attempt.fetch_up_to ?? Infinity;
  const states = all.flatMap((row) => {
    const position = keys.indexOf(row.key) + 1;
    const canBeHad = isHere(row) || (senders.has(row.agentId) && position <= upTo);
    return canBeHad
      ? [{ ...row, position, area: areaOf(row.buildId, row.variant), isHere: isHere(row) }]
      : [];
  });
  return chooseReusable(states).map((row) => ({
    position: row.position,
    area: row.area,
    checkpoint: holdingOf(row),
  }));
}

function holdingOf({ id, lineage, workspace, label, previous, takenAt }: CheckpointRow): Holding {
  return { id, lineage, workspace, label, previous, takenAt };
}

/** Those of the holders that can send checkpoints to the attempt's agent. */
async function sendersTo(
  db: Kysely<Schema>,
  attempt: AttemptRow,
  held: readonly CheckpointRow[],
): Promise<ReadonlySet<AgentId>> {
  // Most jobs begin, and nobody holds anything of them.
  if (held.length === 0) return new Set();
  const receiver = require_(await findAgent(db, attempt.agent_id), 'agent');
  const holders = new Set(held.map(({ agentId }) => agentId));
  const agents = await Promise.all([...holders].map((id) => findAgent(db, id)));
  return new Set(
    agents.flatMap((agent) =>
      agent !== null && canSendTo(peerOf(agent), peerOf(receiver)) ? [agent.id] : [],
    ),
  );
}

/** The agent gets as far as it can with what it is told of, and runs the rest: so it is not told of what is to run again. */
async function toFetch(
  db: Kysely<Schema>,
  { job_id, fetch_up_to: upTo }: AttemptRow,
  elsewhere: Holding[],
): Promise<Holding[]> {
  if (upTo === null || elsewhere.length === 0) return elsewhere;
  const steps = await stepsOfJob(db, job_id);
  return elsewhere.filter(({ label }) => boundaryPosition(label, steps, Infinity) <= upTo);
}

/** As the contract allows. A job has a few dozen. */
const MOST_ELSEWHERE = 2000;

function areaOf(build: BuildId, variant: string): string {
  return `${build}.${variant}`;
}

function baseFor(
  build: BuildRow,
  variant: string,
  { base }: JobRow,
  siblings: readonly JobRow[],
  outputs: readonly OutputRow[],
): Assignment['base'] {
  if (base === null) return null;
  const from = require_(
    siblings.find(({ index }) => index === base.job),
    `job ${base.job}`,
  );
  const origin = from.end_origin;
  const place =
    origin === null
      ? {
          workspace: base.workspace,
          label: base.label,
          lineage: lineageOf(build.id, variant, from.index, from.generation),
        }
      : {
          workspace: origin.workspace,
          label: origin.label,
          lineage: origin.lineage,
          area: areaOf(origin.build, origin.variant),
        };
  return {
    ...place,
    checkpoint: from.end_checkpoint,
    tree: treeOf(outputs, siblings, base.job, END_OUTPUT),
  };
}

/** The path under which a job's end state is kept among its outputs. */
export const END_OUTPUT = '';

function treeOf(
  outputs: readonly OutputRow[],
  siblings: readonly JobRow[],
  writer: number,
  path: string,
): PackedTree | null {
  const job = siblings.find(({ index }) => index === writer);
  const output = outputs.find((candidate) => candidate.jobId === job?.id && candidate.path === path);
  return output === undefined ? null : { pieces: [...output.pieces], treeSha256: output.treeSha256 };
}

function require_<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new RangeError(`the record has no ${what}`);
  return value;
}
