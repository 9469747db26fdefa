import type { CheckpointView } from '#libs/contracts';
import type { Command } from 'commander';
import { example } from '../example.js';
import { queryOf } from '../farm.js';
import { dateTime } from '../moments.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

interface CheckpointOptions {
  readonly build?: string;
  readonly agent?: string;
}

export function checkpoints(command: Command, session: Session): void {
  example(
    command
      .command('list')
      .description('what agents say their stores hold')
      .option('-b, --build <build>', 'only of this build')
      .option('-a, --agent <agent>', 'only on this agent'),
    'distrofarm checkpoints list --build latest',
  ).action(async ({ build, agent }: CheckpointOptions) => {
    const farm = await session.farm();
    const answer = await farm.get<{ readonly checkpoints: readonly CheckpointView[] }>(
      `/checkpoints${queryOf({ build, agent })}`,
    );
    await session.show(answer, ({ checkpoints: found }) => {
      if (found.length === 0) return ['There are none.'];
      const rows = found.map((each) => {
        return [
          each.build,
          each.variant,
          each.lane,
          each.before ?? '(end)',
          each.agentName,
          dateTime(each.takenAt),
          each.id,
        ];
      });
      return textTable(['BUILD', 'VARIANT', 'LANE', 'BEFORE STEP', 'AGENT', 'TAKEN', 'ID'], rows);
    });
  });
}
