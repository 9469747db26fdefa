/**
 * Loaded into an agent's process in front of its program (`node --import`): kills it at each boundary of an attempt's life, and in the middle of each step. It goes around
 * the agent's own methods; the agent knows nothing of it.
 */
import type { Assignment, AttemptId, ReportEvent } from '#libs/contracts';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AttemptLog } from '../../apps/agent/src/attempts/attempt-log.js';
import type { CoordinatorLink } from '../../apps/agent/src/link/coordinator-link.js';
import type { IncomingCheckpoint } from '../../apps/agent/src/transfers/incoming-checkpoint.js';
import type { AttemptSpool } from '../../apps/agent/src/reports/spool.js';
import { around } from './around.js';
import { KillPoints } from './kill-points.js';
import { LINES_OF_STEP, TOY_JOBS, TOY_STEPS } from './toy-image.js';

const { CHAOS_KILL_POINTS: folder = '', CHAOS_PROGRAM: program = '', CHAOS_BUILT: built = '' } = process.env;
const points = new KillPoints(folder);
/** What this process has been handed, by attempt. */
const assignments = new Map<AttemptId, Assignment>();
/** The newest of them: an agent of the harness's runs one job at a time. */
let newest: Assignment | null = null;

interface Classes {
  readonly AttemptLog: { readonly prototype: AttemptLog };
  readonly AttemptSpool: { readonly prototype: AttemptSpool };
  readonly CoordinatorLink: { readonly prototype: CoordinatorLink };
  readonly IncomingCheckpoint: { readonly prototype: IncomingCheckpoint };
}

/** Those of the agent's classes that are in the file. */
async function fromAgent(file: string): Promise<Classes> {
  return (await import(pathToFileURL(join(built, 'dist/apps/agent/src', file)).href)) as Classes;
}

function reach(moment: string, at: string, assignment: Assignment | null): void {
  if (assignment !== null) points.reach(program, { moment, at }, assignment);
}

function jobOf(assignment: Assignment | null): string {
  return `job ${TOY_JOBS[assignment?.jobIndex ?? -1] ?? '?'}`;
}

/** What a report says, and of what. */
function wordsFor(event: ReportEvent, assignment: Assignment | null): readonly [what: string, at: string] {
  switch (event.type) {
    case 'phase':
      return [event.phase, jobOf(assignment)];
    case 'step-started':
    case 'step-ended':
      return [event.type, TOY_STEPS[event.step]?.name ?? '?'];
    case 'resumed':
      return [event.type, TOY_STEPS[event.before]?.name ?? '?'];
    case 'checkpoint-taken':
    case 'checkpoint-fetched':
      return [event.type, `${event.holding.label} of ${event.holding.workspace}`];
    case 'output-imported':
    case 'output-published':
      return [event.type, event.path];
    case 'artifact-published':
      return [event.type, event.name];
    case 'transfer-progress':
    case 'warning':
    case 'end-published':
    case 'state-reused':
    case 'keys-dropped':
    case 'ended':
      return [event.type, jobOf(assignment)];
  }
}

const { AttemptSpool: AttemptSpools } = await fromAgent('reports/spool.js');
around(AttemptSpools.prototype, 'add', (add, spool, event, at) => {
  const assignment = assignments.get(spool.key.attempt) ?? null;
  const [what, of] = wordsFor(event, assignment);
  // How far a transfer has come is told by the clock.
  if (event.type === 'transfer-progress') return add(event, at);
  reach(`before it notes ${what}`, of, assignment);
  const kept = add(event, at);
  reach(`${what} noted, not sent`, of, assignment);
  return kept;
});

const { CoordinatorLink: CoordinatorLinks } = await fromAgent('link/coordinator-link.js');
around(CoordinatorLinks.prototype, 'claim', async (claim, _, ...given) => {
  const assignment = await claim(...given);
  if (assignment === null) return null;
  newest = assignment;
  assignments.set(assignment.attempt, assignment);
  reach('handed the job, nothing noted', jobOf(assignment), assignment);
  return assignment;
});
around(CoordinatorLinks.prototype, 'reports', async (reports, _, key, list, signal) => {
  const acknowledged = await reports(key, list, signal);
  const assignment = assignments.get(key.attempt) ?? null;
  for (const { event } of list) {
    const [what, of] = wordsFor(event, assignment);
    const isBoundary = ['step-ended', 'checkpoint-taken', 'ended'].includes(event.type);
    if (isBoundary) reach(`${what} kept by the coordinator, its answer not`, of, assignment);
  }
  return acknowledged;
});
around(CoordinatorLinks.prototype, 'startUpload', async (start, _, key, body, signal) => {
  const state = await start(key, body, signal);
  const assignment = assignments.get(key.attempt) ?? null;
  if (!state.committed) reach('upload begun', jobOf(assignment), assignment);
  return state;
});
around(CoordinatorLinks.prototype, 'commitUpload', async (commit, _, key, upload, signal) => {
  const assignment = assignments.get(key.attempt) ?? null;
  reach('upload sent, not committed', jobOf(assignment), assignment);
  const state = await commit(key, upload, signal);
  reach('upload committed', jobOf(assignment), assignment);
  return state;
});

const { AttemptLog: AttemptLogs } = await fromAgent('attempts/attempt-log.js');
around(AttemptLogs.prototype, 'output', (output, _, step, stream, bytes) => {
  output(step, stream, bytes);
  const middle = new RegExp(`^line \\S+ ${LINES_OF_STEP / 2}$`, 'm');
  if (middle.test(Buffer.from(bytes).toString())) reach('in the middle of the step', step, newest);
});

const { IncomingCheckpoint: IncomingCheckpoints } = await fromAgent('transfers/incoming-checkpoint.js');
around(IncomingCheckpoints.prototype, '_transform', (transform, stream, chunk, encoding, done) => {
  transform(chunk, encoding, done);
  if (stream.bytes > 0) reach('in the middle of fetching a checkpoint', jobOf(newest), newest);
});

/** The directory store's: a copy becomes a checkpoint by its name. */
const rename = fs.rename;
fs.rename = async (from, to) => {
  const [half, workspace] = [basename(String(from)), basename(dirname(String(to)))];
  if (half === '.taking')
    reach('checkpoint copied, not in its place', `${basename(String(to))} of ${workspace}`, newest);
  if (half === '.receiving') reach('checkpoint fetched, not in its place', jobOf(newest), newest);
  await rename(from, to);
};
syncBuiltinESMExports();
