import type { Axis, AxisValue, Variant } from './manifest.js';

/** One value of each of some axes, in document order. At least one. */
export type Combination = readonly { readonly axis: Axis; readonly value: AxisValue }[];

/**
 * The variant that a combination is: the changes of its values one after the other. Named `locale-de.edition-rescue`: neither part may contain a `.`, nor an axis a
 * `-`, so a name says which combination it is.
 */
export function combinedVariant(combination: Combination): Variant {
  return {
    name: combination.map(({ axis, value }) => `${axis.name}-${value.name}`).join('.'),
    isOptional: combination.some(({ value }) => value.isOptional),
    changes: combination.flatMap(({ value }) => value.changes),
  };
}

/** The combination of that name; `null` when there is none. */
export function combinationNamed(axes: readonly Axis[], name: string): Combination | null {
  const found: { axis: Axis; value: AxisValue }[] = [];
  let rest = axes;
  for (const part of name.split('.')) {
    const dash = part.indexOf('-');
    const index = rest.findIndex((axis) => dash > 0 && axis.name === part.slice(0, dash));
    const axis = rest[index];
    const value = axis?.values.find((each) => each.name === part.slice(dash + 1));
    if (axis === undefined || value === undefined) return null;
    found.push({ axis, value });
    rest = rest.slice(index + 1);
  }
  return found;
}

/** All combinations of the axes with these values, the last axis changing fastest. */
export function combinations(axes: readonly Axis[]): readonly Combination[] {
  return axes.reduce<readonly Combination[]>(
    (sofar, axis) => sofar.flatMap((each) => axis.values.map((value) => [...each, { axis, value }])),
    [[]],
  );
}
