import type { ListedPackage } from './listed-entry.js';
import { comparePackageNames } from './parse-dpkg-status.js';

export interface PackageDifference {
  readonly name: string;
  readonly architecture: string;
  /** Version; `null`: it is not there. */
  readonly from: string | null;
  readonly to: string | null;
}

/** What became of the packages, by name. A package of another architecture is another one. */
export function comparePackages(
  before: readonly ListedPackage[],
  after: readonly ListedPackage[],
): readonly PackageDifference[] {
  const was = new Map(before.map((each) => [keyOf(each), each]));
  const is = new Map(after.map((each) => [keyOf(each), each]));
  const gone = before
    .filter((each) => !is.has(keyOf(each)))
    .map((each) => ({ ...each, from: each.version, to: null }));
  const come = after
    .map((each) => ({ ...each, from: was.get(keyOf(each))?.version ?? null, to: each.version }))
    .filter(({ from, to }) => from !== to);
  return [...gone, ...come]
    .toSorted(comparePackageNames)
    .map(({ name, architecture, from, to }) => ({ name, architecture, from, to }));
}

function keyOf({ name, architecture }: ListedPackage): string {
  return `${name}:${architecture}`;
}
