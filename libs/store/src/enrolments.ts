import { SECRET_PREFIX, type AgentId } from '#libs/contracts';
import type { Db } from './farm-database.js';
import { hashSecret, newSecret } from './secret.js';

export interface NewEnrolment {
  /** Name the agent must take; `null`: its own choice. */
  readonly name: string | null;
  readonly createdBy: string;
  readonly expiresAt: number;
}

export type UsedEnrolment =
  | { readonly kind: 'used'; readonly name: string | null; readonly createdBy: string }
  /** `spent`: somebody has used it before. */
  | { readonly kind: 'unknown' | 'expired' | 'spent' };

/** Gives the secret to enrol with, once. */
export async function createEnrolment(db: Db, enrolment: NewEnrolment, now: number): Promise<string> {
  const secret = newSecret(SECRET_PREFIX.enrolment);
  await db
    .insertInto('enrolments')
    .values({
      hash: hashSecret(secret),
      name: enrolment.name,
      created_by: enrolment.createdBy,
      created_at: now,
      expires_at: enrolment.expiresAt,
      used_at: null,
      agent_id: null,
    })
    .execute();
  return secret;
}

/** Uses it up for `agent`; of several who try at once, one gets `used`. In one transaction with the agent's row, so that a failure does not spend it. */
export async function useEnrolment(
  tx: Db,
  hash: string,
  agent: AgentId,
  now: number,
): Promise<UsedEnrolment> {
  const used = await tx
    .updateTable('enrolments')
    .set({ used_at: now, agent_id: agent })
    .where('hash', '=', hash)
    .where('used_at', 'is', null)
    .where('expires_at', '>', now)
    .returning(['name', 'created_by'])
    .executeTakeFirst();
  if (used !== undefined) return { kind: 'used', name: used.name, createdBy: used.created_by };
  const row = await tx.selectFrom('enrolments').select('used_at').where('hash', '=', hash).executeTakeFirst();
  if (row === undefined) return { kind: 'unknown' };
  return { kind: row.used_at === null ? 'expired' : 'spent' };
}
