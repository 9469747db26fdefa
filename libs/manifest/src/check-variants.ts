import { asVariant, variantRoot } from './apply-variant.js';
import { buildAxes, buildChange } from './build-manifest.js';
import { checkLeftOut } from './check-left-out.js';
import { checkMeaning } from './check-meaning.js';
import { checkSchema } from './check-schema.js';
import { combinationNamed } from './combine-axes.js';
import { elementsOf } from './changed-tree.js';
import type { DraftElement } from './draft-element.js';
import { placedIn } from './included-path.js';
import type { Manifest, ManifestProblem, Variant } from './manifest.js';
import {
  atAttribute,
  atElement,
  childPlaces,
  inDocumentOrder,
  rootPlace,
  type Finding,
  type Place,
} from './place.js';
import { quoteValue } from './quote-value.js';
import { axisPlaces, valuePlaces, variantPlaces } from './variant-places.js';

/** Each is tried out on a copy of the manifest; this bounds what a hostile one can cost. */
const MOST_VARIANTS = 200;
const MOST_VALUES = 200;

/**
 * Tries out every variant of a manifest that is itself in order, and every value of an axis by itself: each change must find what it changes, and
 * what comes out must pass the same checks as a manifest. Their combinations are tried out when they are wanted.
 */
export function checkVariants(root: Place): Finding[] {
  const variants = variantPlaces(root);
  const axes = axisPlaces(root);
  const values = axes.flatMap(valuePlaces);
  const oneTooMany = [...extra(variants, MOST_VARIANTS, 'variant'), ...extra(values, MOST_VALUES, 'value')];
  if (oneTooMany.length > 0) return oneTooMany;
  return [
    ...namesAreNoCombinations(root, variants),
    ...variants.flatMap(
      (variant) => tryOut(root, [variant], `variant ${quoteValue(nameOf(variant))}`).problems,
    ),
    ...axes.flatMap((axis) =>
      valuePlaces(axis).flatMap(
        (value) => tryOut(root, [value], `${nameOf(axis)}=${nameOf(value)}`).problems,
      ),
    ),
  ];
}

export type ResolvedVariant =
  | { readonly ok: true; readonly manifest: Manifest }
  | { readonly ok: false; readonly problems: readonly ManifestProblem[] };

/** `applyVariant` for what `chooseVariants` gave: a combination is tried out, as its values do not know of each other. */
export function resolveVariant(manifest: Manifest, variant: Variant): ResolvedVariant {
  const root = rootPlace(manifest.root as DraftElement);
  const holders = placesOfCombination(manifest, root, variant.name);
  if (manifest.variants.includes(variant) || holders === null) {
    const changed = variantRoot(manifest.root, variant.changes, () => undefined);
    return { ok: true, manifest: asVariant(manifest, variant, changed) };
  }
  const { changed, problems } = tryOut(root, holders, `variant ${quoteValue(variant.name)}`);
  if (problems.length === 0) return { ok: true, manifest: asVariant(manifest, variant, changed) };
  const inFiles = inDocumentOrder(problems, manifest.includes).map(({ includedFrom, ...problem }) => ({
    file: placedIn(manifest.file, includedFrom),
    ...problem,
  }));
  return { ok: false, problems: inFiles };
}

function placesOfCombination(manifest: Manifest, root: Place, name: string): readonly Place[] | null {
  const combination = combinationNamed(manifest.axes, name);
  if (combination === null) return null;
  const axes = axisPlaces(root);
  return combination.flatMap(({ axis, value }) => {
    const place = axes[manifest.axes.indexOf(axis)];
    return place === undefined ? [] : valuePlaces(place).filter((each) => nameOf(each) === value.name);
  });
}

interface TriedOut {
  readonly changed: DraftElement;
  readonly problems: readonly Finding[];
}

/** @param holders whose children are the changes; what follows from them is told at the last one */
function tryOut(root: Place, holders: readonly Place[], what: string): TriedOut {
  const places = holders.flatMap(childPlaces);
  const end = holders.at(-1) ?? root;
  const findings: Finding[] = [];
  const changed = variantRoot(
    root.element,
    places.map(({ element }) => buildChange(element)),
    ({ index, found, expected }) => {
      findings.push(atElement(places[index] ?? end, found, expected));
    },
  );
  const place = rootPlace(changed);
  const problems = [...checkSchema(place, elementsOf(root.element)).problems, ...checkMeaning(place)];
  const consequences = problems.map(({ path, found, expected }) => ({
    ...atElement(end, `${found} (with ${what} applied)`, expected),
    path,
  }));
  return { changed, problems: [...findings, ...checkLeftOut(root, place, places), ...consequences] };
}

function extra(places: readonly Place[], most: number, what: string): Finding[] {
  const first = places[most];
  return first === undefined ? [] : [atElement(first, `one ${what} more`, `at most ${most}`)];
}

function namesAreNoCombinations(root: Place, variants: readonly Place[]): Finding[] {
  const axes = buildAxes(root);
  return variants.flatMap((variant) => {
    const name = nameOf(variant);
    if (combinationNamed(axes, name) === null) return [];
    return [
      atAttribute(variant, 'name', quoteValue(name), 'another name: a combination of axes has this one'),
    ];
  });
}

function nameOf({ element }: Place): string {
  return element.attributes.get('name') ?? '';
}
