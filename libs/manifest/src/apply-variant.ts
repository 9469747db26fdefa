import { buildManifest } from './build-manifest.js';
import { ChangedTree } from './changed-tree.js';
import { firstChild, newElement, type DraftElement } from './draft-element.js';
import type { Manifest, ManifestElement, Variant, VariantChange } from './manifest.js';
import { nearestName } from './nearest-name.js';
import { parseNodepath } from './nodepath.js';
import { placesAt, rootPlace } from './place.js';
import { matchNodes, type MatchedNode } from './query-manifest.js';
import { isQuotedList } from './queryable.js';
import { quoteValue } from './quote-value.js';
import { stepName, stepPlaces } from './step-places.js';

/**
 * The manifest as this variant builds it. The result is complete in itself: it has this one variant, with
 * nothing left to change. `variant` must be one of `manifest.variants`, which `parseManifest` has tried out, or
 * a combination that `resolveVariant` has.
 */
export function applyVariant(manifest: Manifest, variant: Variant): Manifest {
  return asVariant(
    manifest,
    variant,
    variantRoot(manifest.root, variant.changes, () => undefined),
  );
}

/** @param root what `variantRoot` made of the manifest's */
export function asVariant(manifest: Manifest, variant: Variant, root: DraftElement): Manifest {
  return { ...manifest, ...buildManifest(root), variants: [{ ...variant, changes: [] }] };
}

/** Why a change cannot be made. */
export interface Refusal {
  /** Which of the changes. */
  readonly index: number;
  readonly found: string;
  readonly expected: string;
}

/**
 * The tree with the changes made in their order, in which what is as it was is the very same element; changes that cannot be made are reported. What an earlier change has left out already,
 * a later one may leave out too: the values of two axes know nothing of each other.
 *
 * @param beforeSet sees each value that is about to be replaced, in the copy
 */
export function variantRoot(
  root: ManifestElement,
  changes: readonly VariantChange[],
  refuse: (refusal: Refusal) => void,
  beforeSet: (node: MatchedNode, path: string) => void = () => undefined,
): DraftElement {
  const tree = new ChangedTree(root as DraftElement, 'farm:variants');
  const leftOut = new Set<string>();
  for (const [index, change] of changes.entries()) {
    const refusal = applyChange(tree.root, change, beforeSet);
    const key = JSON.stringify(change);
    if (refusal === null) leftOut.add(key);
    else if (!isLeavingOut(change) || !leftOut.has(key)) refuse({ index, ...refusal });
  }
  return tree.settled();
}

type ChangeFault = Omit<Refusal, 'index'>;

function isLeavingOut({ kind }: VariantChange): boolean {
  return kind === 'remove-package' || kind === 'skip-step';
}

function applyChange(
  root: DraftElement,
  change: VariantChange,
  beforeSet: (node: MatchedNode, path: string) => void,
): ChangeFault | null {
  switch (change.kind) {
    case 'set':
      return setValue(root, change.path, change.value, beforeSet);
    case 'add-package':
      return addPackage(root, change.name);
    case 'remove-package':
      return removePackage(root, change.name);
    case 'skip-step':
      return skipStep(root, change.step);
  }
}

function setValue(
  root: DraftElement,
  path: string,
  value: string,
  beforeSet: (node: MatchedNode, path: string) => void,
): ChangeFault | null {
  const parsed = parseNodepath(path);
  if (!parsed.ok) return { found: `${quoteValue(path)} (${parsed.reason})`, expected: 'a nodepath' };
  const [node, second] = matchNodes(root, parsed.nodepath);
  if (node === undefined) {
    return {
      found: `${quoteValue(path)}, which matches nothing`,
      expected: 'the path of a value that the manifest has',
    };
  }
  if (second !== undefined) {
    return {
      found: `${quoteValue(path)}, which matches several values`,
      expected: 'a path to one value, as in a[b=c]/d',
    };
  }
  beforeSet(node, path);
  overwrite(node, value);
  return null;
}

/** All nodes come from a tree of drafts, see `variantRoot`. */
function overwrite({ name, element, parent }: MatchedNode, value: string): void {
  if (element === null) {
    (parent?.element as DraftElement).attributes.set(name, value);
    return;
  }
  const draft = element as DraftElement;
  draft.text = value;
  if (isQuotedList(name)) draft.children.splice(0);
}

function addPackage(root: DraftElement, name: string): ChangeFault | null {
  const packages = placesAt(rootPlace(root), 'img_params/packages')[0]?.element;
  if (packages === undefined)
    return { found: quoteValue(name), expected: 'no packages in a manifest without img_params' };
  if (packages.children.some((pkg) => pkg.attributes.get('name') === name)) return null;
  const added = newElement('pkg');
  added.attributes.set('name', name);
  packages.children.push(added);
  return null;
}

function removePackage(root: DraftElement, name: string): ChangeFault | null {
  const image = firstChild(root, 'img_params');
  const packages = image === undefined ? undefined : firstChild(image, 'packages');
  const index = packages?.children.findIndex((pkg) => pkg.attributes.get('name') === name) ?? -1;
  if (packages === undefined || index === -1) {
    const names = packages?.children.map((pkg) => pkg.attributes.get('name') ?? '') ?? [];
    const nearest = nearestName(name, names);
    const hint = nearest === null ? '' : ` (did you mean ${nearest}?)`;
    return { found: quoteValue(name), expected: `a package that the manifest installs${hint}` };
  }
  packages.children.splice(index, 1);
  return null;
}

function skipStep(root: DraftElement, step: string): ChangeFault | null {
  for (const { element } of placesAt(rootPlace(root), 'distro_constr_params/output_image/finalizer')) {
    const index = stepIndex(element, step);
    if (index === -1) continue;
    element.children.splice(index, 1);
    return null;
  }
  const names = stepPlaces(rootPlace(root)).map(stepName);
  const nearest = nearestName(step, names);
  const hint = nearest === null ? '' : ` (did you mean ${nearest}?)`;
  return { found: quoteValue(step), expected: `the name of a step${hint}` };
}

function stepIndex(finalizer: DraftElement, step: string): number {
  return finalizer.children.findIndex(
    (script) => firstChild(script, 'checkpoint')?.attributes.get('name') === step,
  );
}
