import type { AuditEntry } from '#libs/contracts';
import type { Command } from 'commander';
import { example } from '../example.js';
import { queryOf } from '../farm.js';
import { dateTime } from '../moments.js';
import { count } from '../options.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

interface AuditPage {
  readonly entries: readonly AuditEntry[];
  readonly next: number | null;
}

interface AuditOptions {
  readonly before?: number;
  readonly limit: number;
}

export function audit(command: Command, session: Session): void {
  example(
    command
      .option('--before <seq>', 'entries older than this one', count)
      .option('--limit <count>', 'at most so many', count, 100),
    'distrofarm audit --limit 20',
  ).action(async ({ before, limit }: AuditOptions) => {
    const farm = await session.farm();
    await session.show(
      await farm.get<AuditPage>(`/audit${queryOf({ before, limit })}`),
      ({ entries, next }) => [
        ...textTable(['SEQ', 'WHEN', 'WHO', 'DID', 'TO', 'WHY'], entries.map(entryRow)),
        ...(next === null ? [] : [`There are more: distrofarm audit --before ${next}`]),
      ],
    );
  });
}

function entryRow({ seq, at, user, action, target, why }: AuditEntry): readonly string[] {
  return [String(seq), dateTime(at), user, action, target, why];
}
