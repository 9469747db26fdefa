import type { CataloguedScript } from '#libs/contracts';
import type { Command } from 'commander';
import { basename, resolve } from 'node:path';
import { CliError } from '../cli-error.js';
import { example } from '../example.js';
import { EXIT } from '../exit-codes.js';
import { pathOf } from '../farm.js';
import { forEach, idsOf } from '../ids.js';
import { dateTime } from '../moments.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

interface Catalogue {
  readonly scripts: readonly CataloguedScript[];
}

export function scripts(command: Command, session: Session): void {
  list(command.command('list').description('the scripts that everybody may use'), session);
  add(command.command('add').description('let everybody use these, as they are now'), session);
  remove(
    command.command('remove').description('let nobody use them without the right to own scripts'),
    session,
  );
}

function list(command: Command, session: Session): void {
  example(command, 'distrofarm scripts list').action(async () => {
    const farm = await session.farm();
    await session.show(await farm.get<Catalogue>('/scripts'), catalogueTable);
  });
}

function catalogueTable({ scripts: found }: Catalogue): readonly string[] {
  if (found.length === 0) return ['The catalogue is empty. Add to it with: distrofarm scripts add FILE...'];
  const rows = found.map(({ name, sha256, addedBy, addedAt, note }) => [
    name,
    sha256,
    addedBy,
    dateTime(addedAt),
    note,
  ]);
  return textTable(['NAME', 'SHA-256', 'ADDED BY', 'ADDED', 'NOTE'], rows);
}

function add(command: Command, session: Session): void {
  example(
    command
      .argument('<file...>', 'scripts; what they include is part of them')
      .option('--note <text>', 'what they are for'),
    'distrofarm scripts add finalizers/debian/im-pop finalizers/debian/iso',
  ).action(async (files: readonly string[], { note }: { readonly note?: string }) => {
    const { readScript } = await import('#libs/steps');
    const read = await Promise.all(
      files.map(async (file) => ({ file, result: await readScript(resolve(session.io.cwd, file)) })),
    );
    const problems = read.flatMap(({ file, result }) => (result.ok ? [] : [`${file} ${result.reason}`]));
    if (problems.length > 0)
      throw new CliError(EXIT.usage, 'nothing was added:', 'A script is an executable file.', problems);
    const body = {
      scripts: read.flatMap(({ file, result }) => {
        return result.ok ? [{ sha256: result.script.digest, name: basename(file), note: note ?? '' }] : [];
      }),
    };
    const farm = await session.farm();
    await session.show(await farm.post<Catalogue>('/scripts', body), () => {
      return body.scripts.map(({ name, sha256 }) => `${name}  ${sha256}`);
    });
  });
}

function remove(command: Command, session: Session): void {
  example(
    command
      .argument(
        '<sha256...>',
        'as "distrofarm scripts list" shows them, or "-" to read them from standard input',
      )
      .option('-y, --yes', 'do not ask'),
    'distrofarm scripts list --json | jq -r ".scripts[].sha256" | distrofarm scripts remove -',
  ).action(async (named: readonly string[], { yes }: { readonly yes?: boolean }) => {
    await session.confirm(
      `Remove ${named.length === 1 ? (named[0] ?? '') : `${named.length} scripts`} from the catalogue?`,
      yes === true,
    );
    const farm = await session.farm();
    await forEach(session, await idsOf(session, named), async (sha256) => {
      await session.show(await farm.delete(pathOf`/scripts/${sha256}`), () => [`${sha256} is removed.`]);
    });
  });
}
