import { combinationNamed, combinations, combinedVariant } from './combine-axes.js';
import type { Axis, AxisValue, Manifest, Variant } from './manifest.js';
import { listed, nearestName } from './nearest-name.js';
import { quoteValue } from './quote-value.js';
import { LONGEST_PART_NAME } from './value-rule.js';

/** What is to be built of a manifest. */
export interface VariantChoice {
  /** Names of variants or combinations; with an empty matrix too, all variants of the manifest. */
  readonly names: readonly string[];
  /** Axis to the values wanted of it; none: all it has. Axes that are not named are left alone. */
  readonly matrix: ReadonlyMap<string, readonly string[]>;
}

export type ChosenVariants =
  | { readonly ok: true; readonly variants: readonly Variant[] }
  /** `reason` is a sentence without its full stop, `hint` says what there is. */
  | { readonly ok: false; readonly reason: string; readonly hint: string };

/** A variant is at least one job on the farm; more than that is a slip of the finger. */
const MOST_COMBINATIONS = 1000;

/**
 * The variants that are meant, each once: in the order of `names`, or of the manifest. Combinations have not been tried out yet, see `resolveVariant`; that there are too
 * many is seen before there is any.
 */
export function chooseVariants(manifest: Manifest, { names, matrix }: VariantChoice): ChosenVariants {
  if (matrix.size === 0) return namedVariants(manifest, [...new Set(names)]);
  if (names.length === 0) return matrixVariants(manifest, matrix);
  return refused(
    'variants were named, and a matrix too',
    'Give one of the two; a combination can be named as a variant.',
  );
}

/** One of the manifest's, or a combination of its axes; `null` when it has no such variant. */
export function findVariant({ variants, axes }: Manifest, name: string): Variant | null {
  const own = variants.find((variant) => variant.name === name);
  if (own !== undefined) return own;
  const combination = combinationNamed(axes, name);
  return combination === null ? null : combinedVariant(combination);
}

function namedVariants(manifest: Manifest, names: readonly string[]): ChosenVariants {
  if (names.length === 0) return { ok: true, variants: manifest.variants };
  const variants: Variant[] = [];
  for (const name of names) {
    const variant = findVariant(manifest, name);
    if (variant === null)
      return unknown(
        `the manifest has no variant ${quoteValue(name)}`,
        'Its variants are',
        name,
        manifest.variants,
      );
    variants.push(variant);
  }
  return { ok: true, variants };
}

function matrixVariants({ axes }: Manifest, matrix: VariantChoice['matrix']): ChosenVariants {
  const wanted: Axis[] = [];
  for (const [name, values] of matrix) {
    const axis = axes.find((each) => each.name === name);
    if (axis === undefined) {
      return axes.length === 0
        ? refused(
            `the manifest has no axis ${quoteValue(name)}`,
            'It has none at all: they are <farm:axis> in <farm:variants>.',
          )
        : unknown(`the manifest has no axis ${quoteValue(name)}`, 'Its axes are', name, axes);
    }
    const missing = values.find((value) => !axis.values.some((each) => each.name === value));
    if (missing !== undefined) {
      const reason = `the axis ${quoteValue(name)} has no value ${quoteValue(missing)}`;
      return unknown(reason, 'Its values are', missing, axis.values);
    }
    wanted.push({
      name,
      values: values.length === 0 ? axis.values : axis.values.filter((each) => values.includes(each.name)),
    });
  }
  return combined(wanted.toSorted((a, b) => position(axes, a) - position(axes, b)));
}

function position(axes: readonly Axis[], { name }: Axis): number {
  return axes.findIndex((axis) => axis.name === name);
}

function combined(axes: readonly Axis[]): ChosenVariants {
  const count = axes.reduce((product, { values }) => product * BigInt(values.length), 1n);
  if (count > MOST_COMBINATIONS) {
    const factors = axes.map(({ name, values }) => `${values.length} of ${name}`).join(' times ');
    return refused(
      `the matrix has ${count} combinations (${factors}), and a build may have ${MOST_COMBINATIONS}`,
      'Name the values that are wanted, or submit it in parts.',
    );
  }
  const variants = combinations(axes).map(combinedVariant);
  const long = variants.find(({ name }) => name.length > LONGEST_PART_NAME);
  if (long === undefined) return { ok: true, variants };
  return refused(
    `the name of the combination ${quoteValue(long.name)} has ${long.name.length} characters, and the name of a variant may have ${LONGEST_PART_NAME}`,
    'Shorten the names of axes or values.',
  );
}

function unknown(
  reason: string,
  what: string,
  name: string,
  known: readonly (Variant | Axis | AxisValue)[],
): ChosenVariants {
  const names = known.map((each) => each.name);
  const nearest = nearestName(name, names);
  return refused(reason, `${nearest === null ? '' : `Did you mean ${nearest}? `}${what}: ${listed(names)}.`);
}

function refused(reason: string, hint: string): ChosenVariants {
  return { ok: false, reason, hint };
}
