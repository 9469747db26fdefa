import type { FoundArea } from '#libs/build-area';
import { findResumable, type Plan, type ResumableState } from '#libs/plan';

/** What the checkpoints in a build area are good for. Read-only. */
export async function resumableState(plan: Plan, { store }: FoundArea): Promise<ResumableState> {
  const workspaces = [...new Set(plan.jobs.map(({ workspace }) => workspace))];
  const checkpoints = await Promise.all(workspaces.map((workspace) => store.list(workspace)));
  return findResumable(plan, checkpoints.flat());
}
