import type { CreatedToken, CreateToken, Right, Role, Token } from '#libs/contracts';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { example } from '../example.js';
import { pathOf } from '../farm.js';
import { forEach, idsOf } from '../ids.js';
import { dateTime } from '../moments.js';
import { duration } from '../options.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

const ROLES: readonly Role[] = ['viewer', 'submitter', 'operator', 'admin'];
const RIGHTS: readonly Right[] = ['scripts'];

export function tokens(command: Command, session: Session): void {
  list(command.command('list').description('all of them; secrets are kept nowhere'), session);
  create(command.command('create').description('a new one; its secret is shown this once'), session);
  revoke(command.command('revoke').description('end one at once'), session);
}

function list(command: Command, session: Session): void {
  example(command, 'distrofarm tokens list').action(async () => {
    const farm = await session.farm();
    await session.show(
      await farm.get<{ readonly tokens: readonly Token[] }>('/tokens'),
      ({ tokens: found }) => {
        const rows = found.map((token) => [
          token.id,
          token.user,
          [token.role, ...token.rights].join('+'),
          token.revokedAt === null ? 'valid' : `revoked ${dateTime(token.revokedAt)}`,
          token.expiresAt === null ? 'never' : dateTime(token.expiresAt),
          dateTime(token.lastUsedAt),
          token.note,
        ]);
        return textTable(['TOKEN', 'USER', 'MAY', 'STATE', 'EXPIRES', 'LAST USED', 'NOTE'], rows);
      },
    );
  });
}

interface CreateOptions {
  readonly role: Role;
  readonly right?: readonly Right[];
  readonly note?: string;
  readonly expires?: number | null;
}

function create(command: Command, session: Session): void {
  example(
    command
      .argument('<user>', 'whose token it is; also a program can be a user')
      .addOption(
        new Option('--role <role>', 'what it may do; each role may do what those before it may')
          .choices(ROLES)
          .default('submitter'),
      )
      .addOption(
        new Option('--right <right...>', 'scripts: bring own scripts. A step is root on an agent').choices(
          RIGHTS,
        ),
      )
      .option('--expires <duration>', 'a duration such as 30d, or "never"', expiry, 90 * 86_400_000)
      .option('--note <text>', 'what it is for'),
    'distrofarm tokens create ada --role submitter --expires 30d',
  ).action(async (user: string, { role, right, note, expires }: CreateOptions) => {
    const farm = await session.farm();
    const expiresInSeconds = expires == null ? null : Math.round(expires / 1000);
    const body: CreateToken = { user, role, rights: [...(right ?? [])], note: note ?? '', expiresInSeconds };
    const answer = await farm.post<CreatedToken>('/tokens', body);
    if (!session.json)
      await session.note(
        'The secret is shown this once. Use it with: distrofarm login URL, or in DISTROFARM_TOKEN.',
      );
    await session.show(answer, ({ secret }) => [secret]);
  });
}

/** `null`: never. */
function expiry(text: string): number | null {
  if (text === 'never') return null;
  const ms = duration(text);
  if (ms < 60_000) throw new InvalidArgumentError('Expected at least a minute.');
  return ms;
}

function revoke(command: Command, session: Session): void {
  example(
    command
      .argument('<token...>', 'ids, or "-" to read them from standard input')
      .option('-y, --yes', 'do not ask'),
    'distrofarm tokens revoke k-0123456789 --yes',
  ).action(async (named: readonly string[], { yes }: { readonly yes?: boolean }) => {
    await session.confirm(`Revoke ${named.join(', ')}?`, yes === true);
    const farm = await session.farm();
    await forEach(session, await idsOf(session, named), async (id) => {
      await session.show(await farm.delete(pathOf`/tokens/${id}`), () => [`${id} is revoked.`]);
    });
  });
}
