import { firstChild, newElement, type DraftElement } from './draft-element.js';

/**
 * Moves `farm:arg` children of a script into an `argslist`, so that there is one place where arguments stand,
 * for us and for queries. Changes the element in place.
 */
export function gatherArguments(script: DraftElement): void {
  const written = script.children.filter(({ name }) => name === 'farm:arg');
  if (written.length === 0 || firstChild(script, 'argslist') !== undefined) return;
  const others = script.children.filter(({ name }) => name !== 'farm:arg');
  const list = newElement('argslist');
  list.children.push(...written);
  script.children.splice(0, script.children.length, ...others, list);
}
