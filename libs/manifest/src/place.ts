import type { DraftElement } from './draft-element.js';
import type { ManifestProblem } from './manifest.js';

/** An element together with the way to it, so that a message can name it. */
export interface Place {
  readonly element: DraftElement;
  /** Such as `distribution/img_params/packages/pkg[3]`; counted from 1, and only among several of one name. */
  readonly path: string;
}

/** A problem before the manifest has a name. */
export interface Finding extends Omit<ManifestProblem, 'file'> {
  /** As `ManifestElement.includedFrom`. */
  readonly includedFrom: string | null;
}

export function rootPlace(root: DraftElement): Place {
  return { element: root, path: root.name };
}

export function childPlaces(place: Place): Place[] {
  const totals = new Map<string, number>();
  for (const { name } of place.element.children) totals.set(name, (totals.get(name) ?? 0) + 1);
  const seen = new Map<string, number>();
  return place.element.children.map((element) => {
    const count = (seen.get(element.name) ?? 0) + 1;
    seen.set(element.name, count);
    const isAlone = totals.get(element.name) === 1;
    return { element, path: `${place.path}/${element.name}${isAlone ? '' : `[${count}]`}` };
  });
}

/** All elements below `place` along a plain path of names, in document order. */
export function placesAt(place: Place, names: string): Place[] {
  let places = [place];
  for (const name of names.split('/')) {
    const next: Place[] = [];
    for (const each of places) addPlacesNamed(next, each, name);
    places = next;
  }
  return places;
}

/** Those of `childPlaces` with this name, which a rule asks for hundreds of times for each of a thousand variants. */
function addPlacesNamed(places: Place[], { element, path }: Place, name: string): void {
  const before = places.length;
  for (const child of element.children)
    if (child.name === name)
      places.push({ element: child, path: `${path}/${name}[${places.length - before + 1}]` });
  const alone = places[before];
  if (alone !== undefined && places.length === before + 1)
    places[before] = { element: alone.element, path: `${path}/${name}` };
}

export function atElement({ element, path }: Place, found: string, expected: string): Finding {
  const { line, column, includedFrom } = element;
  return { line, column, includedFrom, path, found, expected };
}

/** Points at the attribute itself when it stands in the file, and else at the element that lacks it. */
export function atAttribute(place: Place, name: string, found: string, expected: string): Finding {
  const position = place.element.attributePositions.get(name) ?? place.element;
  return {
    line: position.line,
    column: position.column,
    includedFrom: place.element.includedFrom,
    path: `${place.path}/@${name}`,
    found,
    expected,
  };
}

/** Document order; what has no line comes last. Included files follow the manifest, in the order of `includes`. */
export function inDocumentOrder(findings: readonly Finding[], includes: readonly string[]): Finding[] {
  const last = Number.MAX_SAFE_INTEGER;
  const fileOf = ({ includedFrom }: Finding): number =>
    includedFrom === null ? -1 : includes.indexOf(includedFrom);
  return [...findings].sort(
    (a, b) =>
      fileOf(a) - fileOf(b) || (a.line ?? last) - (b.line ?? last) || (a.column ?? last) - (b.column ?? last),
  );
}
