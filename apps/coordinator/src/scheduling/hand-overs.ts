import { Injectable } from '@nestjs/common';
import type { JobId } from '#libs/contracts';
import type { AgentRow } from '#libs/store';
import { jobsToHandOver } from '../decide/hand-over.js';
import { ScheduleJobs } from './schedule-jobs.js';

/** Says which jobs a drained agent is to give away. Nothing is kept of it: each heartbeat asks anew, so an agent that is undrained keeps what it has. */
@Injectable()
export class HandOvers {
  constructor(private readonly schedule: ScheduleJobs) {}

  /** The reason for each job to go; those that stay are missing. */
  async reasonsFor(agent: AgentRow, jobs: readonly JobId[]): Promise<ReadonlyMap<JobId, string>> {
    if (!agent.drained || agent.letsFinish || jobs.length === 0) return new Map();
    const leaving = jobsToHandOver(await this.schedule.readInputOfRunning(jobs), agent.id);
    const reason = `agent ${agent.name} is drained by ${agent.reason}`;
    return new Map([...leaving].map((job) => [job, reason]));
  }
}
