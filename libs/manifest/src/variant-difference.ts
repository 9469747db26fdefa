import { variantRoot } from './apply-variant.js';
import type { DraftElement } from './draft-element.js';
import type { Manifest, ManifestElement, Variant } from './manifest.js';
import { placesAt, rootPlace } from './place.js';
import { queryManifest, type MatchedNode } from './query-manifest.js';
import { elementValues } from './queryable.js';
import { stepName, stepPlaces } from './step-places.js';

/** What a variant changes of the manifest, after all its changes: what comes out as it was is not in it. */
export interface VariantDifference {
  /** In the order in which they are first set. */
  readonly values: readonly ChangedValue[];
  readonly packages: { readonly added: readonly string[]; readonly removed: readonly string[] };
  /** Names of steps that it leaves out. */
  readonly skipped: readonly string[];
}

export interface ChangedValue {
  /** The nodepath as the manifest has it. */
  readonly path: string;
  /** A password, or found by comparing one: then neither value is given, nor what the path compares. */
  readonly isSecret: boolean;
  /** One value; of a list, its words. */
  readonly from: readonly string[];
  readonly to: readonly string[];
}

/** For a variant that can be applied: one of the manifest's, or a combination that `resolveVariant` takes. */
export function variantDifference(manifest: Manifest, variant: Variant): VariantDifference {
  const touched: Touched[] = [];
  const root = variantRoot(
    manifest.root,
    variant.changes,
    () => undefined,
    (node, path) => {
      if (!touched.some((each) => isSame(each.node, node))) touched.push(touch(node, path));
    },
  );
  const before = packageNames(manifest.root);
  const after = packageNames(root);
  const steps = new Set(
    variant.changes.flatMap((change) => (change.kind === 'skip-step' ? [change.step] : [])),
  );
  const kept = new Set(stepPlaces(rootPlace(root)).map(stepName));
  return {
    values: touched.flatMap(changedValue),
    packages: {
      added: after.filter((name) => !before.includes(name)),
      removed: before.filter((name) => !after.includes(name)),
    },
    skipped: [...steps].filter((name) => !kept.has(name)),
  };
}

/** A value that is set, as it was before the first time. */
interface Touched {
  readonly node: MatchedNode;
  readonly path: string;
  readonly isSecret: boolean;
  readonly before: readonly string[];
}

function touch(node: MatchedNode, path: string): Touched {
  const answer = queryManifest(rootOf(node), path);
  return { node, path, isSecret: !answer.ok || answer.isSecret, before: valuesOf(node) };
}

/** The same place of the same copy, whatever nodepath led there. */
function isSame(a: MatchedNode, b: MatchedNode): boolean {
  if (a.element !== null || b.element !== null) return a.element === b.element;
  return a.name === b.name && a.parent?.element === b.parent?.element;
}

function changedValue({ node, path, isSecret, before }: Touched): ChangedValue[] {
  const after = valuesOf(node);
  if (JSON.stringify(after) === JSON.stringify(before)) return [];
  if (isSecret) return [{ path: withoutComparisons(path), isSecret, from: [], to: [] }];
  return [{ path, isSecret, from: before, to: after }];
}

/** As it is now: the node itself remembers what it was. */
function valuesOf({ name, element, parent }: MatchedNode): readonly string[] {
  if (element !== null) return elementValues(element);
  return [parent?.element?.attributes.get(name) ?? ''];
}

function rootOf(node: MatchedNode): ManifestElement {
  let top = node;
  while (top.parent !== null) top = top.parent;
  if (top.element === null) throw new RangeError(`the value "${node.name}" is in no element`);
  return top.element;
}

function withoutComparisons(path: string): string {
  return path.replace(/\[.*\]/s, '[…]').replace(/=.*$/s, '=…');
}

function packageNames(root: ManifestElement): readonly string[] {
  const places = placesAt(rootPlace(root as DraftElement), 'img_params/packages/pkg');
  return places.map(({ element }) => element.attributes.get('name') ?? '');
}
