import { sql, type Kysely, type Migration } from 'kysely';

/** What an agent ran, and what became of it, newest first. */
export const agentHistory: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createIndex('attempts_by_agent')
      .on('attempts')
      .columns(['agent_id', 'assigned_at', 'id'])
      .execute();
    // Few events are of no build: the many that are do not pay for this.
    await db.schema
      .createIndex('events_of_agents')
      .on('events')
      .columns(['agent_id', 'seq'])
      .where(sql.ref('build_id'), 'is', null)
      .execute();
  },
};
