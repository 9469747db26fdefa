import type { DraftElement } from './draft-element.js';

/**
 * A tree that is going to be changed a little, a thousand times over: `root` is a copy to change at will, and `settled` puts each element that came out as it was back in the
 * place of its copy. So variants have in common what none of them changes, and whoever sees an element again knows that it is the same.
 */
export class ChangedTree {
  readonly root: DraftElement;
  readonly #originals = new Map<DraftElement, DraftElement>();

  /** @param leftOut name of children of the root that are not copied */
  constructor(original: DraftElement, leftOut: string) {
    const children = original.children.filter(({ name }) => name !== leftOut);
    this.root = this.#copy({ ...original, children });
  }

  /** The tree as it is now. It must not be changed any more. */
  settled(): DraftElement {
    return this.#settle(this.root);
  }

  #copy(element: DraftElement): DraftElement {
    const copy = {
      ...element,
      attributes: new Map(element.attributes),
      children: element.children.map((child) => this.#copy(child)),
      attributePositions: new Map(element.attributePositions),
    };
    this.#originals.set(copy, element);
    return copy;
  }

  #settle(element: DraftElement): DraftElement {
    const children = element.children.map((child) => this.#settle(child));
    const original = this.#originals.get(element);
    if (original !== undefined && isSame(original, { ...element, children })) return original;
    return { ...element, children };
  }
}

/** Places are not compared: an element and its copy have the same. */
function isSame(one: DraftElement, other: DraftElement): boolean {
  return (
    one.text === other.text &&
    one.children.length === other.children.length &&
    one.children.every((child, at) => child === other.children[at]) &&
    one.attributes.size === other.attributes.size &&
    [...one.attributes].every(([name, value]) => other.attributes.get(name) === value)
  );
}

/** All elements of the tree. */
export function elementsOf(root: DraftElement): ReadonlySet<DraftElement> {
  const found = new Set<DraftElement>();
  const add = (element: DraftElement): void => {
    found.add(element);
    element.children.forEach(add);
  };
  add(root);
  return found;
}
