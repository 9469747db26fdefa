import type { Selectable } from 'kysely';
import type { CataloguedScript } from '#libs/contracts';
import { inChunks } from './builds.js';
import type { Db } from './farm-database.js';
import type { ScriptsTable } from './schema.js';

export type NewScript = Pick<CataloguedScript, 'sha256' | 'name' | 'note'>;

/** A script that is catalogued already gets the new name and note, and keeps who added it and when. */
export async function addScripts(
  db: Db,
  scripts: readonly NewScript[],
  addedBy: string,
  now: number,
): Promise<void> {
  for (const { sha256, name, note } of scripts) {
    await db
      .insertInto('scripts')
      .values({ sha256, name, note, added_by: addedBy, added_at: now })
      .onConflict((conflict) => conflict.column('sha256').doUpdateSet({ name, note }))
      .execute();
  }
}

export async function listScripts(db: Db): Promise<readonly CataloguedScript[]> {
  const rows = await db.selectFrom('scripts').selectAll().orderBy('name').orderBy('sha256').execute();
  return rows.map(parseScript);
}

/** Whether there was one. */
export async function removeScript(db: Db, sha256: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('scripts').where('sha256', '=', sha256).executeTakeFirst();
  return numDeletedRows > 0n;
}

/** Which of these digests are in the catalogue. */
export async function cataloguedAmong(db: Db, digests: readonly string[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  await inChunks(digests, 500, async (some) => {
    const rows = await db.selectFrom('scripts').select('sha256').where('sha256', 'in', some).execute();
    for (const { sha256 } of rows) found.add(sha256);
  });
  return found;
}

function parseScript(row: Selectable<ScriptsTable>): CataloguedScript {
  return {
    sha256: row.sha256,
    name: row.name,
    note: row.note,
    addedBy: row.added_by,
    addedAt: row.added_at,
  };
}
