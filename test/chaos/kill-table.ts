import type { Place } from './kill-points.js';
import type { KillOutcome } from './run-kills.js';
import { TOY_IMAGE_LANES, TOY_JOBS, TOY_STEPS } from './toy-image.js';

const AT_STEPS = [
  'before it notes step-started',
  'step-started noted, not sent',
  'in the middle of the step',
  'before it notes step-ended',
  'step-ended noted, not sent',
  'step-ended kept by the coordinator, its answer not',
];
const AT_JOBS = [
  'handed the job, nothing noted',
  'before it notes fetching',
  'fetching noted, not sent',
  'before it notes running',
  'running noted, not sent',
  'before it notes publishing',
  'publishing noted, not sent',
  'before it notes ended',
  'ended noted, not sent',
  'ended kept by the coordinator, its answer not',
];
/** Of which there is one in front of each step, and one behind each job that others go on from. */
const AT_CHECKPOINTS = [
  'before it notes checkpoint-taken',
  'checkpoint-taken noted, not sent',
  'checkpoint-taken kept by the coordinator, its answer not',
];

/** Places that every agent comes to in the toy image, and at which none was killed. */
export function missedPlaces(hit: readonly Place[]): readonly string[] {
  const places = new Set(hit.map(({ moment, at }) => `${moment}: ${at}`));
  const expected = [
    ...AT_STEPS.flatMap((moment) => TOY_STEPS.map(({ name }) => `${moment}: ${name}`)),
    ...AT_JOBS.flatMap((moment) => TOY_JOBS.map((name) => `${moment}: job ${name}`)),
  ];
  const few = AT_CHECKPOINTS.flatMap((moment) => {
    const found = hit.filter((place) => place.moment === moment).length;
    const wanted = TOY_STEPS.length + TOY_JOBS.filter((job) => !TOY_IMAGE_LANES.includes(job)).length;
    return found < wanted ? [`${moment}: ${found} of ${wanted} checkpoints`] : [];
  });
  return [...expected.filter((place) => !places.has(place)), ...few];
}

/** As Markdown: a line for each moment. */
export function killTable(outcomes: readonly KillOutcome[]): string {
  const moments = [...new Set(outcomes.map(({ kill }) => kill.moment))];
  const lines = moments.map((moment) => {
    const of = outcomes.filter(({ kill }) => kill.moment === moment);
    const count = (which: (outcome: KillOutcome) => boolean): number => of.filter(which).length;
    const slowest = Math.max(...of.map(({ goesOnMs }) => goesOnMs ?? 0));
    const again = Math.max(...of.map(({ ranAgain }) => ranAgain.length));
    return `| ${moment} | ${of.length} | ${count(({ wentOnBy }) => wentOnBy === 'itself')} | ${count(({ wentOnBy }) => wentOnBy === 'another')} | ${again} | ${count(({ isWhole }) => isWhole)} | ${(slowest / 1000).toFixed(1)} s |`;
  });
  return [
    '| killed | places | went on there | elsewhere | most steps run again | of the builds ended bit-identical | longest until something happened |',
    '|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n');
}

/** A line for each place. */
export function killList(outcomes: readonly KillOutcome[]): string {
  return outcomes
    .map(({ kill, wentOnBy, ranAgain, isWhole }) => {
      const went = wentOnBy === null ? 'nothing to go on with' : `went on by ${wentOnBy}`;
      const again = ranAgain.length === 0 ? 'no step again' : `again: ${ranAgain.join(', ')}`;
      return `${kill.moment}: ${kill.at}: ${went}, ${again}, ${isWhole ? 'bit-identical' : 'NOT WHOLE'}`;
    })
    .toSorted()
    .join('\n');
}
