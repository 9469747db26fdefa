import type { VariantDifference } from './variant-difference.js';

/** What changes, and how: `img_params/hostname` and `"a" -> "b"`, `packages` and `+vim -nano`. */
export interface DescribedChange {
  readonly what: string;
  readonly change: string;
}

/** A line for each change; none where the variant is the manifest as it is. */
export function describeDifference({
  values,
  packages,
  skipped,
}: VariantDifference): readonly DescribedChange[] {
  return [
    ...values.map(({ path, isSecret, from, to }) => ({
      what: path,
      change: isSecret ? 'changed' : `${quoted(from)} -> ${quoted(to)}`,
    })),
    ...signed('packages', '+', packages.added),
    ...signed('packages', '-', packages.removed),
    ...signed('steps', '-', skipped),
  ];
}

function signed(what: string, sign: '+' | '-', names: readonly string[]): readonly DescribedChange[] {
  return names.length === 0 ? [] : [{ what, change: names.map((name) => `${sign}${name}`).join(' ') }];
}

function quoted(values: readonly string[]): string {
  return values.length === 0 ? 'nothing' : values.map((value) => JSON.stringify(value)).join(' ');
}
