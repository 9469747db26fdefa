import { sql, type Kysely, type Migration } from 'kysely';

/** Of each step key, which state and which step it comes from, as the jobs have it; of each checkpoint, whether it continues one that its agent holds. */
export const states: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const { schema } = db;
    await schema
      .createTable('states')
      .addColumn('key', 'text', (c) => c.primaryKey())
      .addColumn('parent', 'text')
      .addColumn('step', 'text')
      .execute();
    await schema.createIndex('states_by_parent').on('states').column('parent').execute();
    await sql`
      insert into states (key, parent, step)
      select key, parent, step from (
        select
          own.key,
          case when own.position = 1 then base.end_key else before.key end as parent,
          numbered.name as step,
          row_number() over (partition by own.key order by own.job_id) as nth
        from boundary_keys as own
        inner join jobs on jobs.id = own.job_id
        left join jobs as base on base.variant_id = jobs.variant_id and base."index" = jobs.base_job
        left join boundary_keys as before on before.job_id = own.job_id and before.position = own.position - 1
        left join (
          select job_id, name, row_number() over (partition by job_id order by "index") as number from steps
        ) as numbered on numbered.job_id = own.job_id and numbered.number = own.position - 1
      ) as found
      where nth = 1`.execute(db);
    await schema
      .alterTable('checkpoints')
      .addColumn('begins', 'integer', (c) => c.notNull().defaultTo(0))
      .execute();
    await sql`
      update checkpoints set begins = 1
      where not exists (
        select 1 from checkpoints as before
        where before.agent_id = checkpoints.agent_id and before.id = checkpoints.previous
      )`.execute(db);
    await schema.createIndex('checkpoints_that_begin').on('checkpoints').columns(['begins', 'key']).execute();
  },
};
