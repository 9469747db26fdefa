import { LONGEST_ZFS_NAME, normalBuildArea, snapshotName } from './build-area.js';
import { parseNodepath, splitNodepaths } from './nodepath.js';
import { listed, nearestName } from './nearest-name.js';
import { atAttribute, atElement, placesAt, type Finding, type Place } from './place.js';
import { quoteValue } from './quote-value.js';
import { splitArguments, splitWords, type SplitResult } from './split-arguments.js';
import { laneName, outputPaths, stepName, stepPlaces } from './step-places.js';
import { boolean, booleanValue } from './value-rule.js';
import { axisPlaces, valuePlaces, variantPlaces } from './variant-places.js';

/** What the schema cannot say, as it takes more than one value to see it. Each rule is a function below. */
export function checkMeaning(root: Place): Finding[] {
  const rules = [
    stepNamesDiffer,
    resumeStepExists,
    snapshotNamesFit,
    quotesAreClosed,
    argumentsStandOnce,
    fingerprintsHaveAProgram,
    readsAreNodepaths,
    outputsBelongToOneLane,
    localeIsListed,
    keysDiffer,
    variantsSaySomething,
    variantNamesDiffer,
    packageChangesSayOneThing,
  ];
  return rules.flatMap((rule) => rule(root));
}

/** Accepted, but probably not what was meant. */
export function remarkOnMeaning(root: Place): Finding[] {
  return lanesKeepSomething(root);
}

function stepNamesDiffer(root: Place): Finding[] {
  const checkpoints = stepPlaces(root).flatMap((script) => placesAt(script, 'checkpoint'));
  return attributesDiffer(checkpoints, 'name', 'another name: an earlier step has this one');
}

function keysDiffer(root: Place): Finding[] {
  return attributesDiffer(
    placesAt(root, 'key_value_pairs/pair'),
    'key',
    'another key: an earlier pair has this one',
  );
}

function variantNamesDiffer(root: Place): Finding[] {
  const axes = axisPlaces(root);
  const values = axes.flatMap((axis) =>
    attributesDiffer(valuePlaces(axis), 'name', 'another name: an earlier value of the axis has this one'),
  );
  return [
    ...attributesDiffer(variantPlaces(root), 'name', 'another name: an earlier variant has this one'),
    ...attributesDiffer(axes, 'name', 'another name: an earlier axis has this one'),
    ...values,
  ];
}

function variantsSaySomething(root: Place): Finding[] {
  return placesAt(root, 'farm:variants')
    .filter(({ element }) => element.children.length === 0)
    .map((place) => atElement(place, 'nothing in it', 'at least one <farm:variant> or <farm:axis>'));
}

function attributesDiffer(places: readonly Place[], attribute: string, expected: string): Finding[] {
  const seen = new Set<string>();
  return places.flatMap((place) => {
    const value = place.element.attributes.get(attribute);
    if (value === undefined || !seen.has(value)) {
      seen.add(value ?? '');
      return [];
    }
    return [atAttribute(place, attribute, quoteValue(value), expected)];
  });
}

function resumeStepExists(root: Place): Finding[] {
  const names = [...new Set(stepPlaces(root).map(stepName))].filter((name) => name !== '');
  return placesAt(root, 'distro_constr_params/distro_constr_flags/checkpoint_enable').flatMap((place) => {
    const step = place.element.attributes.get('resume_from') ?? '';
    if (step === '') return [];
    if (boolean.accepts(place.element.text) && !booleanValue(place.element.text)) {
      const expected = 'none while checkpoint_enable is false: without checkpoints no build can resume';
      return [atAttribute(place, 'resume_from', quoteValue(step), expected)];
    }
    const isNumber = /^\d{1,9}$/.test(step) && Number(step) < Math.max(1, names.length);
    return isNumber || names.includes(step)
      ? []
      : [atAttribute(place, 'resume_from', quoteValue(step), stepHint(step, names))];
  });
}

function stepHint(step: string, names: readonly string[]): string {
  const nearest = nearestName(step, names);
  const hint = nearest === null ? '' : ` (did you mean ${nearest}?)`;
  return `a step: ${listed(names)}, or its number from 0 to ${Math.max(0, names.length - 1)}${hint}`;
}

/** Found out before anything is built, and not at the step with the longest name. */
function snapshotNamesFit(root: Place): Finding[] {
  return placesAt(root, 'distro_constr_params/build_area').flatMap((place) => {
    const dataset = normalBuildArea(place.element.text);
    const longest = stepPlaces(root)
      .map((script) => snapshotName(dataset, laneName(script), stepName(script)))
      .reduce((a, b) => (b.length > a.length ? b : a), '');
    if (dataset.startsWith('/') || longest.length <= LONGEST_ZFS_NAME) return [];
    const found = `a snapshot name of ${longest.length} characters (${quoteValue(longest)})`;
    return [atElement(place, found, `at most ${LONGEST_ZFS_NAME}: a shorter build area, lane or step name`)];
  });
}

function quotesAreClosed(root: Place): Finding[] {
  const lists = placesAt(root, 'img_params/locale_list').map((place) => [place, splitArguments] as const);
  const inSteps = stepPlaces(root).flatMap((script) => [
    ...placesAt(script, 'argslist').map((place) => [place, splitArguments] as const),
    ...placesAt(script, 'farm:fingerprint').map((place) => [place, splitWords] as const),
  ]);
  return [...lists, ...inSteps].flatMap(([place, split]) => openQuote(place, split));
}

function openQuote(place: Place, split: (text: string) => SplitResult): Finding[] {
  const result = split(place.element.text);
  if (result.ok) return [];
  const found = `a ${result.quote} that is never closed in ${quoteValue(place.element.text)}`;
  return [
    atElement(place, found, `a closing ${result.quote}, or \\${result.quote} for the character itself`),
  ];
}

/** Quoted text and `farm:arg` side by side would leave the order of the arguments to guess. */
function argumentsStandOnce(root: Place): Finding[] {
  return stepPlaces(root).flatMap((script) => {
    const holders = [...placesAt(script, 'argslist'), ...placesAt(script, 'farm:fingerprint')];
    const mixed = holders.filter(
      (place) => place.element.text !== '' && placesAt(place, 'farm:arg').length > 0,
    );
    const twice = placesAt(script, 'argslist').length > 0 ? placesAt(script, 'farm:arg').slice(0, 1) : [];
    return [
      ...mixed.map((place) => atElement(place, 'both text and <farm:arg>', 'one of the two')),
      ...twice.map((place) =>
        atElement(place, '<farm:arg> beside <argslist>', 'all arguments in one of the two'),
      ),
    ];
  });
}

function fingerprintsHaveAProgram(root: Place): Finding[] {
  return stepPlaces(root)
    .flatMap((script) => placesAt(script, 'farm:fingerprint'))
    .flatMap((place) => {
      const split = splitWords(place.element.text);
      const [first] = placesAt(place, 'farm:arg').map(({ element }) => element.text);
      const program = first ?? (split.ok ? split.words[0] : 'what quotesAreClosed reports');
      if (program !== undefined && program !== '') return [];
      return [
        atElement(place, 'no program', 'a program and its arguments, such as sha256sum /etc/os-release'),
      ];
    });
}

function readsAreNodepaths(root: Place): Finding[] {
  return stepPlaces(root)
    .flatMap((script) => placesAt(script, 'farm:reads'))
    .flatMap((place) => {
      const nodepaths = splitNodepaths(place.element.text);
      if (nodepaths === null)
        return [atElement(place, quoteValue(place.element.text), 'nodepaths with closed quotes')];
      return nodepaths.flatMap((nodepath) => {
        const parsed = parseNodepath(nodepath);
        return parsed.ok
          ? []
          : [atElement(place, `${quoteValue(nodepath)} (${parsed.reason})`, 'nodepaths separated by blanks')];
      });
    });
}

/** Two lanes run at the same time and join in any order, so what both hand back would be a matter of luck. */
function outputsBelongToOneLane(root: Place): Finding[] {
  const claims = new Claims();
  return stepPlaces(root).flatMap((script) =>
    placesAt(script, 'farm:output').flatMap((output) => {
      const path = output.element.attributes.get('path') ?? '';
      const other = claims.claim(laneName(script), path);
      if (other === null) return [];
      const expected = `a path of its own: lane ${other.lane} hands back ${quoteValue(other.path)}`;
      return [atAttribute(output, 'path', quoteValue(path), expected)];
    }),
  );
}

interface Claim {
  readonly lane: string;
  readonly path: string;
}

/** Who was first to claim a path, or something below it. */
class Claims {
  private readonly at = new Map<string, Claim>();
  private readonly below = new Map<string, Claim>();

  /** The earlier claim of another lane to the same path, or one above or below it. */
  claim(lane: string, path: string): Claim | null {
    const above = ancestors(path);
    const rivals = [this.below.get(path), ...[...above, path].map((each) => this.at.get(each))];
    const own = { lane, path };
    if (!this.at.has(path)) this.at.set(path, own);
    for (const each of above) if (!this.below.has(each)) this.below.set(each, own);
    return rivals.find((rival) => rival !== undefined && rival.lane !== lane) ?? null;
  }
}

/** `a` and `a/b` for `a/b/c`. */
function ancestors(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

function lanesKeepSomething(root: Place): Finding[] {
  const scripts = stepPlaces(root);
  const keeping = new Set(scripts.filter((script) => outputPaths(script).length > 0).map(laneName));
  const seen = new Set(['main', ...keeping]);
  return scripts.flatMap((script) => {
    const lane = laneName(script);
    if (seen.has(lane)) return [];
    seen.add(lane);
    return [
      atAttribute(
        script,
        'farm:lane',
        quoteValue(lane),
        'a <farm:output> in one of its steps: else nothing of the lane is kept',
      ),
    ];
  });
}

function localeIsListed(root: Place): Finding[] {
  const locales = placesAt(root, 'img_params/locale_list').flatMap(({ element }) =>
    localeNames(element.text),
  );
  return placesAt(root, 'img_params/locale_defaults').flatMap((place) => {
    const locale = place.element.attributes.get('locale');
    if (locale === undefined || locales.includes(locale)) return [];
    return [atAttribute(place, 'locale', quoteValue(locale), `one of locale_list: ${listed(locales)}`)];
  });
}

/** distro_const wanted quotes around each name and refused `a b`; no locale name has a blank, so blanks separate. */
function localeNames(list: string): readonly string[] {
  const split = splitWords(list);
  return split.ok ? split.words.flatMap((word) => word.split(/\s+/)) : [];
}

function packageChangesSayOneThing(root: Place): Finding[] {
  const holders = [...variantPlaces(root), ...axisPlaces(root).flatMap(valuePlaces)];
  const changes = holders.flatMap((holder) => placesAt(holder, 'farm:package'));
  return changes.flatMap((place) => {
    const { attributes } = place.element;
    if (attributes.has('add') !== attributes.has('remove')) return [];
    const found = attributes.has('add') ? 'both @add and @remove' : 'neither @add nor @remove';
    return [atElement(place, found, 'one of them')];
  });
}
