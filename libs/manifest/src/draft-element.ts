import type { ManifestElement } from './manifest.js';

/** 1-based, in UTF-16 units, as editors count. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/**
 * A `ManifestElement` while the manifest is being made: it can be changed, and it remembers columns for
 * messages. Outside this lib it is only seen as the read-only `ManifestElement`.
 */
export interface DraftElement extends ManifestElement {
  readonly attributes: Map<string, string>;
  readonly children: DraftElement[];
  text: string;
  readonly column: number | null;
  /** Only attributes that stand in the file; not those that a default supplied. */
  readonly attributePositions: Map<string, Position>;
}

/** An element that no line of the file wrote: a default, or the work of a variant. */
export function newElement(name: string, text = ''): DraftElement {
  return {
    name,
    attributes: new Map(),
    children: [],
    text,
    line: null,
    column: null,
    includedFrom: null,
    attributePositions: new Map(),
  };
}

export function childrenNamed(element: DraftElement, name: string): DraftElement[] {
  return element.children.filter((child) => child.name === name);
}

export function firstChild(element: DraftElement, name: string): DraftElement | undefined {
  return element.children.find((child) => child.name === name);
}
