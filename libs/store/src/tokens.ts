import type { Selectable } from 'kysely';
import { newId, SECRET_PREFIX, type Right, type Role, type Token, type TokenId } from '#libs/contracts';
import type { Db } from './farm-database.js';
import { fromJson, toJson } from './json.js';
import type { TokensTable } from './schema.js';
import { hashSecret, newSecret } from './secret.js';

export type TokenRow = Token;

export interface NewToken {
  readonly user: string;
  readonly role: Role;
  readonly rights: readonly Right[];
  readonly note: string;
  /** `null`: never. */
  readonly expiresAt: number | null;
}

/** `valid` only: the others are refused, each with its own words. */
export type FoundToken =
  | { readonly kind: 'valid'; readonly token: TokenRow }
  | { readonly kind: 'expired' | 'revoked'; readonly token: TokenRow }
  | { readonly kind: 'unknown' };

const TOUCH_EVERY_MS = 60_000;

/** The secret is given here, and never again. */
export async function createToken(
  db: Db,
  token: NewToken,
  now: number,
): Promise<{ readonly token: TokenRow; readonly secret: string }> {
  const secret = newSecret(SECRET_PREFIX.user);
  const row = await db
    .insertInto('tokens')
    .values({
      id: newId('k'),
      hash: hashSecret(secret),
      user: token.user,
      role: token.role,
      rights: toJson<TokensTable['rights']>(token.rights),
      note: token.note,
      created_at: now,
      expires_at: token.expiresAt,
      last_used_at: null,
      revoked_at: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  return { token: parseToken(row), secret };
}

export async function findTokenByHash(db: Db, hash: string, now: number): Promise<FoundToken> {
  const row = await db.selectFrom('tokens').selectAll().where('hash', '=', hash).executeTakeFirst();
  if (row === undefined) return { kind: 'unknown' };
  const token = parseToken(row);
  if (token.revokedAt !== null) return { kind: 'revoked', token };
  if (token.expiresAt !== null && token.expiresAt <= now) return { kind: 'expired', token };
  return { kind: 'valid', token };
}

/** Whether the token is there, and neither revoked nor expired. */
export async function tokenHolds(db: Db, id: TokenId, now: number): Promise<boolean> {
  const row = await db
    .selectFrom('tokens')
    .select('id')
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]))
    .executeTakeFirst();
  return row !== undefined;
}

/** All of them, also those that are of no use any more; newest first. */
export async function listTokens(db: Db): Promise<readonly TokenRow[]> {
  const rows = await db
    .selectFrom('tokens')
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
  return rows.map(parseToken);
}

/** The token as it is then; `null` when there is none of that id. A second time changes nothing. */
export async function revokeToken(db: Db, id: TokenId, now: number): Promise<TokenRow | null> {
  await db
    .updateTable('tokens')
    .set({ revoked_at: now })
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .execute();
  const row = await db.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : parseToken(row);
}

/** Notes that it was used. At most once a minute, so that not every request writes. */
export async function touchToken(
  db: Db,
  token: Pick<TokenRow, 'id' | 'lastUsedAt'>,
  now: number,
): Promise<void> {
  const due = now - TOUCH_EVERY_MS;
  if (token.lastUsedAt !== null && token.lastUsedAt > due) return;
  await db
    .updateTable('tokens')
    .set({ last_used_at: now })
    .where('id', '=', token.id)
    .where((eb) => eb.or([eb('last_used_at', 'is', null), eb('last_used_at', '<=', due)]))
    .execute();
}

function parseToken(row: Selectable<TokensTable>): TokenRow {
  return {
    id: row.id,
    user: row.user,
    role: row.role,
    rights: [...fromJson<TokensTable['rights']>(row.rights)],
    note: row.note,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
  };
}
