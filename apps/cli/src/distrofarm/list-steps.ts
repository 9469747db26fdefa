import { stepLines } from '../distro-const/step-table.js';
import { cleaned } from './cleaned.js';
import { CliError } from './cli-error.js';
import { isPassing } from './farm.js';
import { newestBuildOf } from './resume-newest.js';
import type { Submission } from './read-submission.js';
import type { Session } from './session.js';

/** `-l` of distro_const: the steps of the manifest, marked where this user's newest build of it has a checkpoint. Changes nothing. */
export async function listSteps(session: Session, submission: Submission): Promise<void> {
  const held = await checkpointedSteps(session, submission);
  const rows = cleaned(submission.manifest.steps).map(({ index, name, message, lane }) => {
    return { index, name, message, lane, resumable: held.has(name) };
  });
  if (!session.json) await session.print(stepLines(rows));
  else for (const row of rows) await session.printJson(row);
}

/** A manifest can be listed without a farm, too. */
async function checkpointedSteps(session: Session, submission: Submission): Promise<ReadonlySet<string>> {
  try {
    const build = await newestBuildOf(await session.farm(), submission);
    const steps = build?.jobs.flatMap((job) => job.steps) ?? [];
    return new Set(steps.filter(({ checkpoint }) => checkpoint !== null).map(({ name }) => name));
  } catch (error) {
    if (!(error instanceof CliError) && !isPassing(error)) throw error;
    await session.note(`note: which steps can be resumed at is not known: ${(error as Error).message}`);
    return new Set();
  }
}
