import { atAttribute, type Finding, type Place } from './place.js';
import { quoteValue } from './quote-value.js';
import { laneName, outputPaths, stepName, stepPlaces } from './step-places.js';

const MAIN_LANE = 'main';

/**
 * Steps that a variant leaves out although others that it keeps need them: the first of a lane that starts from an empty workspace, and one that
 * hands back what no other step of its lane does. A lane may be left out as a whole.
 *
 * @param changes places of the variant's changes
 */
export function checkLeftOut(root: Place, changed: Place, changes: readonly Place[]): Finding[] {
  const skips = changes.filter(({ element }) => element.name === 'farm:skip');
  if (skips.length === 0) return [];
  const steps = stepPlaces(root);
  const kept = new Set(stepPlaces(changed).map(stepName));
  return skips.flatMap((skip) => {
    const step = steps.find((each) => stepName(each) === skip.element.attributes.get('step'));
    if (step === undefined) return [];
    const lane = laneName(step);
    const others = steps.filter((each) => laneName(each) === lane && kept.has(stepName(each)));
    const need = others.length === 0 ? null : needOf(step, others, steps);
    if (need === null) return [];
    const names = others.map(stepName).join(', ');
    const expected = `the rest of the lane left out too (${names}), or ${need.instead}`;
    return [atAttribute(skip, 'step', `${quoteValue(stepName(step))}, ${need.what}`, expected)];
  });
}

interface Need {
  /** What the step is to the others. */
  readonly what: string;
  /** What would do as well as leaving out the whole lane. */
  readonly instead: string;
}

function needOf(step: Place, others: readonly Place[], steps: readonly Place[]): Need | null {
  const lane = laneName(step);
  if (fillsTheWorkspace(step, steps))
    return { what: `with which lane ${lane} starts from nothing`, instead: 'none of it' };
  const handedBack = new Set(others.flatMap(outputPaths));
  const missing = joiningOutputs(step, steps).find((path) => !handedBack.has(path));
  if (missing === undefined) return null;
  return {
    what: `which hands back ${quoteValue(missing)} of lane ${lane}`,
    instead: 'another step of it with this <farm:output>',
  };
}

/** The first step of a lane that main has not run in front of. */
function fillsTheWorkspace(step: Place, steps: readonly Place[]): boolean {
  const inFront = steps.slice(
    0,
    steps.findIndex((each) => stepName(each) === stepName(step)),
  );
  return !inFront.some((each) => laneName(each) === MAIN_LANE || laneName(each) === laneName(step));
}

/** What main imports of the step's lane, or could; media are published, not imported. */
function joiningOutputs(step: Place, steps: readonly Place[]): readonly string[] {
  const lane = laneName(step);
  const last = steps.findLastIndex((each) => laneName(each) === lane);
  const joins = lane !== MAIN_LANE && steps.slice(last + 1).some((each) => laneName(each) === MAIN_LANE);
  return joins ? outputPaths(step).filter((path) => !path.startsWith('media/')) : [];
}
