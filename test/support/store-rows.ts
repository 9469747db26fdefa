import { newId, type AgentFacts, type BuildId, type BuildState, type JobId } from '#libs/contracts';
import { hashSecret, insertAgent, type Schema } from '#libs/store';
import type { Kysely } from 'kysely';

export type Db = Kysely<Schema>;

/** For specs: the least that the record may hold. */
export const digest = (word: string): string => hashSecret(word);

export const FACTS: AgentFacts = {
  version: '0.1.0',
  hostname: 'mill.example',
  architectures: ['amd64', 'i386'],
  labels: ['big'],
  slots: 2,
  tools: { xorriso: '1.5.4' },
  store: { kind: 'directory', description: 'folders', abilities: [] },
  freeBytes: 100,
  usedBytes: 1,
};

export function anAgent(db: Db, name: string) {
  return insertAgent(db, { id: newId('a'), name, keyHash: digest(`key of ${name}`), facts: FACTS }, 1);
}

/** With files of these digests. */
export async function aBuild(
  db: Db,
  state: BuildState,
  files: readonly string[] = [],
  collectedAt: number | null = null,
): Promise<BuildId> {
  const id = newId('b');
  await db
    .insertInto('manifests')
    .values({ sha256: digest('manifest'), text: '<distribution/>' })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  await db
    .insertInto('builds')
    .values({
      id,
      name: 'live',
      user: 'ada',
      idempotency_key: null,
      manifest_sha256: digest('manifest'),
      manifest_path: 'live.xml',
      files: JSON.stringify(files.map((sha256) => ({ path: sha256, executable: true, sha256, bytes: 1 }))),
      source_date_epoch: 0,
      priority: 'normal',
      on_agent: null,
      note: '',
      wish: 'run',
      pause_before: null,
      state,
      waits: 0,
      replicas: 0,
      waits_for_replicas: 0,
      reuse: 0,
      trusted: 0,
      created_at: 1,
      started_at: null,
      ended_at: null,
      collected_at: collectedAt,
    })
    .execute();
  return id;
}

/** A job of its own variant, which runs. */
export async function aJob(db: Db, build: BuildId, index = 0): Promise<JobId> {
  const [id, variant] = [newId('j'), newId('v')];
  await db
    .insertInto('variants')
    .values({
      id: variant,
      build_id: build,
      name: `v${index}`,
      plan_content_sha256: '',
      optional: 0,
      keys_wait: 0,
    })
    .execute();
  await db
    .insertInto('jobs')
    .values({
      id,
      build_id: build,
      variant_id: variant,
      index,
      lane: 'main',
      workspace: 'build_data',
      state: 'running',
      waiting_reason: '',
      waiting_since: null,
      needs: '[]',
      base_job: null,
      base_workspace: null,
      base_label: null,
      imports: '[]',
      requires: '{}',
      end_label: null,
      end_checkpoint: null,
      end_key: null,
      end_origin: null,
      epoch: 0,
      generation: 1,
      ancestry: '[]',
      retries: 0,
      avoid: '[]',
      ended_at: null,
    })
    .execute();
  return id;
}
