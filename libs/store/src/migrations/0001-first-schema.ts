import type { Kysely, Migration } from 'kysely';

/** The tables of schema.ts. Migrations only go forward; a released one is never changed. */
export const firstSchema: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const { schema } = db;
    await schema
      .createTable('meta')
      .addColumn('key', 'text', (c) => c.primaryKey())
      .addColumn('value', 'text', (c) => c.notNull())
      .execute();
    await schema
      .createTable('counters')
      .addColumn('name', 'text', (c) => c.primaryKey())
      .addColumn('value', 'bigint', (c) => c.notNull())
      .execute();
    await schema
      .createTable('duties')
      .addColumn('name', 'text', (c) => c.primaryKey())
      .addColumn('holder', 'text', (c) => c.notNull())
      .addColumn('expires_at', 'bigint', (c) => c.notNull())
      .execute();
    await schema
      .createTable('tokens')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('hash', 'text', (c) => c.notNull().unique())
      .addColumn('user', 'text', (c) => c.notNull())
      .addColumn('role', 'text', (c) => c.notNull())
      .addColumn('rights', 'text', (c) => c.notNull())
      .addColumn('note', 'text', (c) => c.notNull())
      .addColumn('created_at', 'bigint', (c) => c.notNull())
      .addColumn('expires_at', 'bigint')
      .addColumn('last_used_at', 'bigint')
      .addColumn('revoked_at', 'bigint')
      .execute();
    await schema
      .createTable('enrolments')
      .addColumn('hash', 'text', (c) => c.primaryKey())
      .addColumn('name', 'text')
      .addColumn('created_by', 'text', (c) => c.notNull())
      .addColumn('created_at', 'bigint', (c) => c.notNull())
      .addColumn('expires_at', 'bigint', (c) => c.notNull())
      .addColumn('used_at', 'bigint')
      .addColumn('agent_id', 'text')
      .execute();
    await schema
      .createTable('agents')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('name', 'text', (c) => c.notNull().unique())
      .addColumn('key_hash', 'text', (c) => c.notNull().unique())
      .addColumn('facts', 'text', (c) => c.notNull())
      .addColumn('load', 'text')
      .addColumn('instance', 'text')
      .addColumn('drained', 'integer', (c) => c.notNull())
      .addColumn('paused', 'integer', (c) => c.notNull())
      .addColumn('paused_until', 'bigint')
      .addColumn('reason', 'text', (c) => c.notNull())
      .addColumn('leaving', 'integer', (c) => c.notNull())
      .addColumn('enrolled_at', 'bigint', (c) => c.notNull())
      .addColumn('last_seen_at', 'bigint')
      .addColumn('lost_at', 'bigint')
      .addColumn('revoked_at', 'bigint')
      .addColumn('failures', 'integer', (c) => c.notNull())
      .addColumn('quarantined_until', 'bigint')
      .addColumn('dropping', 'text', (c) => c.notNull())
      .execute();
    await schema
      .createTable('scripts')
      .addColumn('sha256', 'text', (c) => c.primaryKey())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('note', 'text', (c) => c.notNull())
      .addColumn('added_by', 'text', (c) => c.notNull())
      .addColumn('added_at', 'bigint', (c) => c.notNull())
      .execute();
    await schema
      .createTable('manifests')
      .addColumn('sha256', 'text', (c) => c.primaryKey())
      .addColumn('text', 'text', (c) => c.notNull())
      .execute();
    await schema
      .createTable('builds')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('user', 'text', (c) => c.notNull())
      .addColumn('idempotency_key', 'text')
      .addColumn('manifest_sha256', 'text', (c) => c.notNull().references('manifests.sha256'))
      .addColumn('manifest_path', 'text', (c) => c.notNull())
      .addColumn('files', 'text', (c) => c.notNull())
      .addColumn('source_date_epoch', 'bigint', (c) => c.notNull())
      .addColumn('priority', 'text', (c) => c.notNull())
      .addColumn('on_agent', 'text')
      .addColumn('note', 'text', (c) => c.notNull())
      .addColumn('wish', 'text', (c) => c.notNull())
      .addColumn('pause_before', 'text')
      .addColumn('state', 'text', (c) => c.notNull())
      .addColumn('waits', 'integer', (c) => c.notNull())
      .addColumn('created_at', 'bigint', (c) => c.notNull())
      .addColumn('started_at', 'bigint')
      .addColumn('ended_at', 'bigint')
      .addColumn('collected_at', 'bigint')
      .addUniqueConstraint('builds_user_key', ['user', 'idempotency_key'])
      .execute();
    await index(db, 'builds', ['created_at', 'id']);
    await index(db, 'builds', ['state']);
    await schema
      .createTable('variants')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('build_id', 'text', (c) => c.notNull().references('builds.id'))
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('plan_content_sha256', 'text', (c) => c.notNull())
      .addUniqueConstraint('variants_build_name', ['build_id', 'name'])
      .execute();
    await schema
      .createTable('jobs')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('build_id', 'text', (c) => c.notNull().references('builds.id'))
      .addColumn('variant_id', 'text', (c) => c.notNull().references('variants.id'))
      .addColumn('index', 'integer', (c) => c.notNull())
      .addColumn('lane', 'text', (c) => c.notNull())
      .addColumn('workspace', 'text', (c) => c.notNull())
      .addColumn('state', 'text', (c) => c.notNull())
      .addColumn('waiting_reason', 'text', (c) => c.notNull())
      .addColumn('waiting_since', 'bigint')
      .addColumn('needs', 'text', (c) => c.notNull())
      .addColumn('base_job', 'integer')
      .addColumn('base_workspace', 'text')
      .addColumn('base_label', 'text')
      .addColumn('imports', 'text', (c) => c.notNull())
      .addColumn('requires', 'text', (c) => c.notNull())
      .addColumn('end_label', 'text')
      .addColumn('epoch', 'integer', (c) => c.notNull())
      .addColumn('generation', 'integer', (c) => c.notNull())
      .addColumn('ancestry', 'text', (c) => c.notNull())
      .addColumn('retries', 'integer', (c) => c.notNull())
      .addColumn('avoid', 'text', (c) => c.notNull())
      .addColumn('ended_at', 'bigint')
      .addUniqueConstraint('jobs_variant_index', ['variant_id', 'index'])
      .execute();
    await index(db, 'jobs', ['build_id']);
    await index(db, 'jobs', ['state']);
    await schema
      .createTable('steps')
      .addColumn('job_id', 'text', (c) => c.notNull().references('jobs.id'))
      .addColumn('index', 'integer', (c) => c.notNull())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('message', 'text', (c) => c.notNull())
      .addColumn('state', 'text', (c) => c.notNull())
      .addColumn('started_at', 'bigint')
      .addColumn('ended_at', 'bigint')
      .addColumn('outcome', 'text')
      .addColumn('attempt_id', 'text')
      .addPrimaryKeyConstraint('steps_pk', ['job_id', 'index'])
      .execute();
    await schema
      .createTable('attempts')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('job_id', 'text', (c) => c.notNull().references('jobs.id'))
      .addColumn('build_id', 'text', (c) => c.notNull().references('builds.id'))
      .addColumn('number', 'integer', (c) => c.notNull())
      .addColumn('epoch', 'integer', (c) => c.notNull())
      .addColumn('agent_id', 'text', (c) => c.notNull().references('agents.id'))
      .addColumn('token_hash', 'text')
      .addColumn('state', 'text', (c) => c.notNull())
      .addColumn('phase', 'text')
      .addColumn('lineage', 'text', (c) => c.notNull())
      .addColumn('assigned_at', 'bigint', (c) => c.notNull())
      .addColumn('claimed_at', 'bigint')
      .addColumn('ended_at', 'bigint')
      .addColumn('lease_until', 'bigint')
      .addColumn('end', 'text')
      .addColumn('last_seq', 'integer', (c) => c.notNull())
      .addColumn('log_bytes', 'bigint', (c) => c.notNull())
      .addColumn('log_final_bytes', 'bigint')
      .addUniqueConstraint('attempts_job_epoch', ['job_id', 'epoch'])
      .execute();
    await index(db, 'attempts', ['build_id']);
    await index(db, 'attempts', ['agent_id', 'state']);
    await index(db, 'attempts', ['state', 'lease_until']);
    await schema
      .createTable('attempt_steps')
      .addColumn('attempt_id', 'text', (c) => c.notNull().references('attempts.id'))
      .addColumn('index', 'integer', (c) => c.notNull())
      .addColumn('started_at', 'bigint', (c) => c.notNull())
      .addColumn('ended_at', 'bigint')
      .addColumn('outcome', 'text')
      .addPrimaryKeyConstraint('attempt_steps_pk', ['attempt_id', 'index'])
      .execute();
    await schema
      .createTable('step_times')
      .addColumn('attempt_id', 'text', (c) => c.notNull())
      .addColumn('distribution', 'text', (c) => c.notNull())
      .addColumn('step', 'text', (c) => c.notNull())
      .addColumn('ms', 'bigint', (c) => c.notNull())
      .addColumn('at', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('step_times_pk', ['attempt_id', 'step'])
      .execute();
    await index(db, 'step_times', ['distribution', 'step', 'at']);
    await schema
      .createTable('outputs')
      .addColumn('job_id', 'text', (c) => c.notNull().references('jobs.id'))
      .addColumn('path', 'text', (c) => c.notNull())
      .addColumn('attempt_id', 'text', (c) => c.notNull())
      .addColumn('sha256', 'text', (c) => c.notNull())
      .addColumn('bytes', 'bigint', (c) => c.notNull())
      .addColumn('tree_sha256', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('outputs_pk', ['job_id', 'path'])
      .execute();
    await index(db, 'outputs', ['sha256']);
    await schema
      .createTable('checkpoints')
      .addColumn('agent_id', 'text', (c) => c.notNull().references('agents.id'))
      .addColumn('id', 'text', (c) => c.notNull())
      .addColumn('build_id', 'text', (c) => c.notNull())
      .addColumn('variant', 'text', (c) => c.notNull())
      .addColumn('lineage', 'text', (c) => c.notNull())
      .addColumn('workspace', 'text', (c) => c.notNull())
      .addColumn('label', 'text', (c) => c.notNull())
      .addColumn('taken_at', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('checkpoints_pk', ['agent_id', 'id'])
      .execute();
    await index(db, 'checkpoints', ['build_id']);
    await index(db, 'checkpoints', ['lineage']);
    await schema
      .createTable('blobs')
      .addColumn('sha256', 'text', (c) => c.primaryKey())
      .addColumn('bytes', 'bigint', (c) => c.notNull())
      .addColumn('created_at', 'bigint', (c) => c.notNull())
      .execute();
    await schema
      .createTable('uploads')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('attempt_id', 'text', (c) => c.notNull())
      .addColumn('sha256', 'text', (c) => c.notNull())
      .addColumn('bytes', 'bigint', (c) => c.notNull())
      .addColumn('created_at', 'bigint', (c) => c.notNull())
      .addUniqueConstraint('uploads_attempt_digest', ['attempt_id', 'sha256'])
      .execute();
    await schema
      .createTable('artifacts')
      .addColumn('build_id', 'text', (c) => c.notNull().references('builds.id'))
      .addColumn('variant', 'text', (c) => c.notNull())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('job_id', 'text', (c) => c.notNull())
      .addColumn('attempt_id', 'text', (c) => c.notNull())
      .addColumn('sha256', 'text', (c) => c.notNull())
      .addColumn('bytes', 'bigint', (c) => c.notNull())
      .addColumn('published_at', 'bigint', (c) => c.notNull())
      .addColumn('available', 'integer', (c) => c.notNull())
      .addPrimaryKeyConstraint('artifacts_pk', ['build_id', 'variant', 'name'])
      .execute();
    await index(db, 'artifacts', ['sha256']);
    await schema
      .createTable('log_chunks')
      .addColumn('attempt_id', 'text', (c) => c.notNull())
      .addColumn('offset', 'bigint', (c) => c.notNull())
      .addColumn('bytes', 'bigint', (c) => c.notNull())
      .addColumn('received_at', 'bigint', (c) => c.notNull())
      .addPrimaryKeyConstraint('log_chunks_pk', ['attempt_id', 'offset'])
      .execute();
    await schema
      .createTable('outbox')
      .addColumn('attempt_id', 'text', (c) => c.primaryKey())
      .addColumn('agent_id', 'text', (c) => c.notNull())
      .addColumn('epoch', 'integer', (c) => c.notNull())
      .addColumn('created_at', 'bigint', (c) => c.notNull())
      .addColumn('sent_at', 'bigint')
      .execute();
    await index(db, 'outbox', ['sent_at']);
    await schema
      .createTable('events')
      .addColumn('seq', 'bigint', (c) => c.primaryKey())
      .addColumn('at', 'bigint', (c) => c.notNull())
      .addColumn('type', 'text', (c) => c.notNull())
      .addColumn('build_id', 'text')
      .addColumn('job_id', 'text')
      .addColumn('attempt_id', 'text')
      .addColumn('agent_id', 'text')
      .addColumn('data', 'text', (c) => c.notNull())
      .execute();
    await index(db, 'events', ['build_id', 'seq']);
    await schema
      .createTable('audit')
      .addColumn('seq', 'bigint', (c) => c.primaryKey())
      .addColumn('at', 'bigint', (c) => c.notNull())
      .addColumn('user', 'text', (c) => c.notNull())
      .addColumn('token_id', 'text')
      .addColumn('action', 'text', (c) => c.notNull())
      .addColumn('target', 'text', (c) => c.notNull())
      .addColumn('why', 'text', (c) => c.notNull())
      .addColumn('data', 'text', (c) => c.notNull())
      .addColumn('hash', 'text', (c) => c.notNull())
      .execute();
  },
};

async function index(db: Kysely<unknown>, table: string, columns: readonly string[]): Promise<void> {
  await db.schema
    .createIndex(`${table}_by_${columns.join('_')}`)
    .on(table)
    .columns([...columns])
    .execute();
}
