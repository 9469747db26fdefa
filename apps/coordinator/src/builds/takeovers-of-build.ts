import { Injectable } from '@nestjs/common';
import type { JobId, TakeoverList } from '#libs/contracts';
import {
  attemptsOfBuild,
  eventsOfBuild,
  groupBy,
  listAgents,
  stepsOfJob,
  triesOfJob,
  type AttemptRow,
  type BuildRow,
} from '#libs/store';
import { TAKEOVER_EVENTS, takeoversOf, type TriedJob } from '../decide/takeovers.js';
import { Store } from '../store.js';

/** More than a build of a thousand variants has by a day of failing agents. */
const MOST_EVENTS = 20_000;

/** Which attempts of a build went on with what another agent had made, as long as its events are kept. */
@Injectable()
export class TakeoversOfBuild {
  constructor(private readonly store: Store) {}

  async list(build: BuildRow): Promise<TakeoverList> {
    const { db } = this.store;
    const events = await eventsOfBuild(db, build.id, { types: TAKEOVER_EVENTS, limit: MOST_EVENTS });
    const resumed = new Set(events.flatMap(({ type, job }) => (type === 'resumed' ? (job ?? []) : [])));
    if (resumed.size === 0) return { takeovers: [] };
    const names = new Map((await listAgents(db)).map((agent) => [agent.id as string, agent.name]));
    const attempts = groupBy(await attemptsOfBuild(db, build.id), ({ job_id }) => job_id);
    const jobs = [...attempts].filter(([job, own]) => resumed.has(job) && isOnSeveral(own));
    const tried = await Promise.all(jobs.map(async ([job, own]) => await this.#tried(job, own, names)));
    return { takeovers: tried.flatMap((job) => takeoversOf(job, events)) };
  }

  async #tried(
    job: JobId,
    attempts: readonly AttemptRow[],
    names: ReadonlyMap<string, string>,
  ): Promise<TriedJob> {
    const { db } = this.store;
    const [steps, tries] = await Promise.all([stepsOfJob(db, job), triesOfJob(db, job)]);
    const endedBy = new Map(
      tries.map(({ attempt, steps: own }) => [
        attempt,
        new Map(
          [...own].flatMap(([index, { endedAt, outcome }]) =>
            endedAt !== null && outcome?.kind === 'succeeded' ? [[index, endedAt] as const] : [],
          ),
        ),
      ]),
    );
    return {
      id: job,
      steps: steps.map(({ index, name }) => ({ index, name })),
      tries: attempts.map(({ id, agent_id: agent }) => ({
        attempt: id,
        agent,
        agentName: names.get(agent) ?? agent,
        ended: endedBy.get(id) ?? new Map<number, number>(),
      })),
    };
  }
}

function isOnSeveral(attempts: readonly AttemptRow[]): boolean {
  return new Set(attempts.map(({ agent_id }) => agent_id)).size > 1;
}
