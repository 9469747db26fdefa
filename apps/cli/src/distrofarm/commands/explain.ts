import type { Explanation } from '#libs/contracts';
import type { Command } from 'commander';
import { example } from '../example.js';
import { pathOf } from '../farm.js';
import { stateColour } from '../state-colour.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

export function explain(command: Command, session: Session): void {
  example(
    command.argument('[build]', 'id, the beginning of one, or "latest"', 'latest'),
    'distrofarm explain latest',
  ).action(async (reference: string) => {
    const farm = await session.farm();
    await session.show(await farm.get<Explanation>(pathOf`/builds/${reference}/explain`), (explanation) =>
      explanationLines(session, explanation),
    );
  });
}

function explanationLines(
  { colours }: Session,
  { build, state, jobs, lacking }: Explanation,
): readonly string[] {
  const head = `${build} is ${stateColour(colours, state)(state)}.`;
  const several = new Set([...jobs, ...lacking].map(({ variant }) => variant)).size > 1;
  const copies = lacking.map(({ variant, lane, kind, reason }) => {
    const label = several ? `${variant}/${lane}` : lane;
    return `  ${colours.bold(label)} ${kind === 'coming' ? 'is being copied' : `has copies that are ${kind}`}: ${reason}`;
  });
  if (jobs.length === 0) return [head, 'Every job runs or has succeeded: nothing waits.', ...copies];
  return [
    head,
    ...jobs.flatMap((job) => {
      const label = several ? `${job.variant}/${job.lane}` : job.lane;
      const agents = job.agents.flatMap(({ name, verdict, weighed }) => [
        [`    ${name}`, verdict],
        ...(weighed === null ? [] : [['', weighed.text]]),
      ]);
      return [`  ${colours.bold(label)} ${job.state}: ${job.reason}`, ...textTable([], agents)];
    }),
    ...copies,
  ];
}
