import type { AgentId, JobId } from '#libs/contracts';
import type { Db } from './farm-database.js';

/** Only this agent may have the job from now on; `null`: any that is able. */
export async function pinJob(tx: Db, job: JobId, agent: AgentId | null): Promise<void> {
  await tx.deleteFrom('pins').where('job_id', '=', job).execute();
  if (agent !== null) await tx.insertInto('pins').values({ job_id: job, agent_id: agent }).execute();
}
