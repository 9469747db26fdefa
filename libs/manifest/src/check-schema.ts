import type { DraftElement } from './draft-element.js';
import { nearestName } from './nearest-name.js';
import type { AttributeRule, ElementRule } from './manifest-schema.js';
import { ROOT_NAME, rootRule } from './manifest-schema.js';
import { atAttribute, atElement, childPlaces, type Finding, type Place } from './place.js';
import { quoteValue } from './quote-value.js';
import { isSecretElement } from './queryable.js';

export interface Verdict {
  readonly problems: readonly Finding[];
  readonly notes: readonly Finding[];
}

/**
 * Holds the tree, with defaults merged, against the schema: every element, attribute, count and value.
 *
 * @param inOrder elements that are known to be, with all below them, where they stand
 */
export function checkSchema(root: Place, inOrder: ReadonlySet<DraftElement> = new Set()): Verdict {
  if (root.element.name !== ROOT_NAME) {
    return {
      problems: [atElement(root, `the root element <${root.element.name}>`, `<${ROOT_NAME}>`)],
      notes: [],
    };
  }
  const check = new SchemaCheck(inOrder);
  check.element(root, rootRule);
  return check;
}

class SchemaCheck implements Verdict {
  readonly problems: Finding[] = [];
  readonly notes: Finding[] = [];

  constructor(private readonly inOrder: ReadonlySet<DraftElement>) {}

  element(place: Place, rule: ElementRule): void {
    if (this.inOrder.has(place.element)) return;
    this.note(place, rule.note);
    this.attributes(place, rule);
    this.text(place, rule);
    this.counts(place, rule);
    if (rule.isSequence) this.order(place, rule);
    for (const child of childPlaces(place)) {
      const childRule = rule.children.get(child.element.name);
      if (childRule === undefined) this.unknownElement(child, rule);
      else this.element(child, childRule.rule);
    }
  }

  private note(place: Place, note: string | null): void {
    if (note === null || place.element.line === null) return;
    this.notes.push(atElement(place, `<${place.element.name}>`, `no effect: ${note}`));
  }

  private attributes(place: Place, rule: ElementRule): void {
    for (const [name, value] of place.element.attributes) {
      const attribute = rule.attributes.get(name);
      if (attribute === undefined) this.unknownAttribute(place, name, rule);
      else this.attribute(place, name, value, attribute);
    }
    for (const [name, attribute] of rule.attributes) {
      if (attribute.isRequired && !place.element.attributes.has(name)) {
        this.problems.push(atAttribute(place, name, 'no such attribute', attribute.value.expected));
      }
    }
  }

  private attribute(place: Place, name: string, value: string, rule: AttributeRule): void {
    if (!rule.value.accepts(value)) {
      this.problems.push(atAttribute(place, name, quoteValue(value), rule.value.expected));
    }
    if (rule.note !== null && place.element.attributePositions.has(name)) {
      this.notes.push(atAttribute(place, name, quoteValue(value), `no effect: ${rule.note}`));
    }
  }

  private text(place: Place, rule: ElementRule): void {
    const { text } = place.element;
    if (rule.text === null) {
      if (text !== '')
        this.problems.push(atElement(place, `the text ${quoteValue(text)}`, 'no text in this element'));
    } else if (!rule.text.accepts(text)) {
      const found = isSecretElement(place.element) ? 'another text' : quoteValue(text);
      this.problems.push(atElement(place, found, rule.text.expected));
    }
  }

  private counts(place: Place, rule: ElementRule): void {
    const children = childPlaces(place);
    for (const [name, { min, max }] of rule.children) {
      const found = children.filter(({ element }) => element.name === name);
      if (found.length < min) this.problems.push(atElement(place, `no <${name}> in it`, countText(min, max)));
      for (const extra of found.slice(max)) {
        this.problems.push(atElement(extra, `<${name}> once more`, 'at most one'));
      }
    }
    if (rule.choice.length > 0) this.choice(place, rule.choice);
  }

  private choice(place: Place, choice: readonly string[]): void {
    const found = childPlaces(place).filter(({ element }) => choice.includes(element.name));
    const names = choice.map((name) => `<${name}>`);
    if (found.length === 0) {
      this.problems.push(atElement(place, `no ${names.join(' or ')} in it`, 'exactly one of them'));
    }
    const other = found.find(({ element }) => element.name !== found[0]?.element.name);
    if (other !== undefined) {
      this.problems.push(atElement(other, `both ${names.join(' and ')}`, 'exactly one of them'));
    }
  }

  /** Elements of the extension may stand anywhere; what a default added has no place in the file. */
  private order(place: Place, rule: ElementRule): void {
    const order = [...rule.children.keys()].filter((name) => !name.startsWith('farm:'));
    let furthest = 0;
    for (const child of childPlaces(place)) {
      const index = order.indexOf(child.element.name);
      if (index === -1 || child.element.line === null) continue;
      if (index < furthest) {
        const found = `<${child.element.name}> after <${order[furthest] ?? ''}>`;
        this.problems.push(atElement(child, found, `the order ${order.join(', ')}`));
      }
      furthest = Math.max(furthest, index);
    }
  }

  private unknownElement(place: Place, parent: ElementRule): void {
    const { name } = place.element;
    this.problems.push(
      atElement(
        place,
        `the unknown element <${name}>`,
        allowed(name, [...parent.children.keys()], 'elements'),
      ),
    );
  }

  private unknownAttribute(place: Place, name: string, rule: ElementRule): void {
    const found = 'an unknown attribute';
    this.problems.push(
      atAttribute(place, name, found, allowed(name, [...rule.attributes.keys()], 'attributes')),
    );
  }
}

function countText(min: number, max: number): string {
  if (min === 1) return max === 1 ? 'exactly one' : 'at least one';
  return 'at most one';
}

function allowed(name: string, names: readonly string[], kind: string): string {
  if (names.length === 0) return `no ${kind} there`;
  const nearest = nearestName(name, names);
  const hint = nearest === null ? '' : ` (did you mean ${nearest}?)`;
  return names.length === 1 ? `only ${names.join('')}${hint}` : `one of ${names.join(', ')}${hint}`;
}
