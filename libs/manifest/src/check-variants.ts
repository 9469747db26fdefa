import { variantRoot } from './apply-variant.js';
import { buildChange } from './build-manifest.js';
import { checkMeaning } from './check-meaning.js';
import { checkSchema } from './check-schema.js';
import { atElement, childPlaces, placesAt, rootPlace, type Finding, type Place } from './place.js';
import { quoteValue } from './quote-value.js';

/** Each variant is a copy of the manifest; this bounds what a hostile one can cost. */
const MOST_VARIANTS = 200;

/**
 * Tries out every variant of a manifest that is itself in order: each change must find what it changes, and
 * what comes out must pass the same checks as a manifest.
 */
export function checkVariants(root: Place): Finding[] {
  const variants = placesAt(root, 'farm:variants/farm:variant');
  const extra = variants[MOST_VARIANTS];
  if (extra !== undefined) return [atElement(extra, 'one variant more', `at most ${MOST_VARIANTS}`)];
  return variants.flatMap((variant) => checkVariant(root, variant));
}

function checkVariant(root: Place, variant: Place): Finding[] {
  const places = childPlaces(variant);
  const findings: Finding[] = [];
  const changed = variantRoot(
    root.element,
    variant.element.children.map(buildChange),
    ({ index, found, expected }) => {
      findings.push(atElement(places[index] ?? variant, found, expected));
    },
  );
  const place = rootPlace(changed);
  const problems = [...checkSchema(place).problems, ...checkMeaning(place)];
  const name = quoteValue(variant.element.attributes.get('name') ?? '');
  const consequences = problems.map(({ path, found, expected }) => ({
    ...atElement(variant, `${found} (with variant ${name} applied)`, expected),
    path,
  }));
  return [...findings, ...consequences];
}
