import type { ManifestElement } from './manifest.js';
import { splitArguments } from './split-arguments.js';

/**
 * What of the resolved tree a script may see. The extension's instructions to the engine are not for scripts:
 * a timeout or another variant must not change what a script reads, nor the step keys that follow from it.
 */
const HIDDEN = new Set([
  'farm:variants',
  'farm:output',
  'farm:reads',
  'farm:fingerprint',
  'farm:requires',
  'farm:lane',
  'farm:timeout',
  'farm:silence',
  'farm:replicas',
  'farm:replicas-wait',
  'farm:arg',
]);

/** Elements whose text is a password, wherever they stand. */
const SECRET = new Set(['rootpass', 'password']);

/** Elements whose text is a list of quoted words, of which a query gives each as a value of its own. */
const LISTS = new Set(['argslist', 'locale_list']);

export function isSecretElement(element: ManifestElement): boolean {
  return SECRET.has(element.name);
}

export function isQuotedList(name: string): boolean {
  return LISTS.has(name);
}

export function queryableChildren(element: ManifestElement): readonly ManifestElement[] {
  return element.children.filter((child) => !HIDDEN.has(child.name));
}

export function queryableChildrenNamed(element: ManifestElement, name: string): readonly ManifestElement[] {
  return HIDDEN.has(name) ? [] : element.children.filter((child) => child.name === name);
}

export function queryableAttribute(element: ManifestElement, name: string): string | undefined {
  return HIDDEN.has(name) ? undefined : element.attributes.get(name);
}

export function queryableAttributes(element: ManifestElement): readonly (readonly [string, string])[] {
  return [...element.attributes].filter(([name]) => !HIDDEN.has(name));
}

/** What a query of the element gives: its text, or the words of a list. */
export function elementValues(element: ManifestElement): readonly string[] {
  if (!isQuotedList(element.name)) return [element.text];
  const structured = element.children.filter((child) => child.name === 'farm:arg');
  if (structured.length > 0) return structured.map((child) => child.text);
  const split = splitArguments(element.text);
  return split.ok ? split.words : [element.text];
}
