import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { rootRule, type ElementRule } from './manifest-schema.js';

/** Every name that the schema knows, attributes as `@name`. */
function namesIn(rule: ElementRule): string[] {
  const attributes = [...rule.attributes.keys()].map((name) => `@${name}`);
  return [...attributes, ...[...rule.children].flatMap(([name, child]) => [name, ...namesIn(child.rule)])];
}

describe('the schema', () => {
  it.each([...new Set(namesIn(rootRule))])('is described in docs/manifest.md: %s', (name) => {
    const page = readFileSync(new URL('../../../docs/manifest.md', import.meta.url), 'utf8');
    expect(page).toMatch(new RegExp(`[/\`\\s*]${name}\\b`));
  });
});
