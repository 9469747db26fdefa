import { packTree } from '#libs/artifacts';
import type { PackedTree, ReportEvent } from '#libs/contracts';
import type { Workspace } from '#libs/engine';
import type { Job, Plan } from '#libs/plan';
import type { BlobUse } from '../blobs/blob-cache.js';
import type { AttemptKey, CoordinatorLink } from '../link/coordinator-link.js';
import { uploadFile } from '../blobs/upload.js';

export interface TreePublishing {
  readonly link: CoordinatorLink;
  readonly key: AttemptKey;
  /** As the job left it; nobody works in it any more. */
  readonly workspace: Workspace;
  /** Pieces stay here, for jobs of this agent that bring them in. */
  readonly blobs: BlobUse;
  readonly chunkBytes: number;
  readonly signal: AbortSignal;
}

/** Packs and uploads what a later job imports from this one's lane, and, where jobs elsewhere may go on from it, the state the job ended in. */
export async function publishTrees(
  plan: Plan,
  job: Job,
  publishEnd: boolean,
  publishing: TreePublishing,
): Promise<readonly ReportEvent[]> {
  const events: ReportEvent[] = [];
  for (const path of importedPaths(plan, job)) {
    events.push({ type: 'output-published', path, tree: await publishTree(path, publishing) });
  }
  const end = plan.boundaries.find(({ job: index, before }) => index === job.index && before === null);
  if (publishEnd && end !== undefined) {
    const { workspace, label } = end;
    events.push({ type: 'end-published', workspace, label, tree: await publishTree('', publishing) });
  }
  return events;
}

/** Outputs that the lane's steps up to the end of this job declare, and that another lane brings in. */
export function importedPaths(plan: Plan, job: Job): readonly string[] {
  const last = job.steps.at(-1)?.index ?? -1;
  const declared = plan.steps
    .filter((step) => step.lane === job.lane && step.index <= last)
    .flatMap(({ outputs }) => outputs);
  const imported = new Set(
    plan.jobs.flatMap(({ imports }) =>
      imports.filter(({ lane }) => lane === job.lane).map(({ path }) => path),
    ),
  );
  return [...new Set(declared)].filter((path) => imported.has(path));
}

async function publishTree(path: string, publishing: TreePublishing): Promise<PackedTree> {
  const { link, key, workspace, blobs, chunkBytes, signal } = publishing;
  const tree = await blobs.make(async (folder) => await packTree(workspace.path, path, folder, signal));
  for (const piece of tree.pieces) {
    await uploadFile(link, key, { path: blobs.pathOf(piece), ...piece }, chunkBytes, signal);
  }
  return tree;
}
