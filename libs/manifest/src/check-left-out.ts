import { atAttribute, type Finding, type Place } from './place.js';
import { quoteValue } from './quote-value.js';
import { laneName, outputPaths, stepName, stepPlaces } from './step-places.js';

const MAIN_LANE = 'main';

/**
 * Steps that a variant leaves out although others that it keeps need them: the first of a lane that starts from an empty workspace, and one that hands back what no other step of its
 * lane does. A lane may be left out as a whole.
 *
 * @param changes places of the variant's changes
 */
export function checkLeftOut(root: Place, changed: Place, changes: readonly Place[]): Finding[] {
  const skips = changes.filter(({ element }) => element.name === 'farm:skip');
  if (skips.length === 0) return [];
  const before = stepPlaces(root);
  const kept = new Set(stepPlaces(changed).map(stepName));
  return skips.flatMap((skip) => {
    const step = before.find((each) => stepName(each) === skip.element.attributes.get('step'));
    if (step === undefined) return [];
    const lane = laneName(step);
    const others = before.filter((each) => laneName(each) === lane && kept.has(stepName(each)));
    if (others.length === 0) return [];
    const names = others.map(stepName).join(', ');
    const found = quoteValue(stepName(step));
    if (fillsTheWorkspace(step, before)) {
      return [
        atAttribute(
          skip,
          'step',
          `${found}, with which lane ${lane} starts from nothing`,
          `the rest of the lane left out too (${names}), or none of it`,
        ),
      ];
    }
    const handedBack = new Set(others.flatMap(outputPaths));
    const missing = joiningOutputs(step, before).find((path) => !handedBack.has(path));
    if (missing === undefined) return [];
    const expected = `the rest of the lane left out too (${names}), or another step of it with this <farm:output>`;
    return [
      atAttribute(
        skip,
        'step',
        `${found}, which hands back ${quoteValue(missing)} of lane ${lane}`,
        expected,
      ),
    ];
  });
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
