import { describe, expect, it } from '@jest/globals';
import { applyVariant } from './apply-variant.js';
import { ChangedTree, elementsOf } from './changed-tree.js';
import type { DraftElement } from './draft-element.js';
import type { ManifestElement } from './manifest.js';
import { parseValid, smallManifest } from './testing.js';

function parsed(changes = '') {
  return parseValid(
    smallManifest({
      image: '<hostname>a</hostname><locale_list>"C" "D"</locale_list><locale_defaults locale="C"/>',
      steps: ['pop', 'iso', 'usb']
        .map((name) => `<script name="s"><checkpoint name="${name}"/></script>`)
        .join(''),
      rest: `<farm:variants><farm:variant name="v">${changes}</farm:variant></farm:variants>`,
    }),
  );
}

function child(element: ManifestElement, ...names: readonly string[]): DraftElement {
  return names.reduce((at, name) => at.children.find((each) => each.name === name)!, element) as DraftElement;
}

describe('ChangedTree', () => {
  const changed = (change: (root: DraftElement) => void): readonly [DraftElement, DraftElement] => {
    const original = parsed().root as DraftElement;
    const tree = new ChangedTree(original, 'farm:variants');
    change(tree.root);
    return [original, tree.settled()];
  };

  it('has new elements on the way to what changed, and else those that there were', () => {
    const [original, settled] = changed((root) => {
      child(root, 'img_params', 'hostname').text = 'b';
    });
    expect(child(settled, 'img_params', 'hostname').text).toBe('b');
    expect(child(original, 'img_params', 'hostname').text).toBe('a');
    expect(child(settled, 'img_params')).not.toBe(child(original, 'img_params'));
    expect(child(settled, 'img_params', 'packages')).toBe(child(original, 'img_params', 'packages'));
    expect(child(settled, 'distro_constr_params')).toBe(child(original, 'distro_constr_params'));
  });

  it.each<[string, (root: DraftElement) => void]>([
    ['a text', (root) => (child(root, 'img_params', 'hostname').text = 'b')],
    ['an attribute', (root) => child(root, 'img_params', 'locale_defaults').attributes.set('locale', 'D')],
    ['a new attribute', (root) => child(root, 'img_params', 'locale_defaults').attributes.set('x', 'D')],
    ['one that is gone', (root) => child(root, 'img_params', 'locale_defaults').attributes.delete('locale')],
    ['a child that is gone', (root) => child(root, 'img_params').children.pop()],
    ['the order of children', (root) => child(root, 'img_params').children.reverse()],
  ])('sees %s', (_, change) => {
    const [original, settled] = changed(change);
    expect(child(settled, 'img_params')).not.toBe(child(original, 'img_params'));
  });

  it('puts back what was changed and changed back', () => {
    const [original, settled] = changed((root) => {
      const hostname = child(root, 'img_params', 'hostname');
      hostname.text = 'b';
      hostname.text = 'a';
    });
    expect(child(settled, 'img_params')).toBe(child(original, 'img_params'));
  });
});

describe('applyVariant', () => {
  it('makes few new elements', () => {
    const manifest = parsed('<farm:skip step="iso"/><farm:set path="img_params/hostname" value="b"/>');
    const old = elementsOf(manifest.root as DraftElement);
    const made = [...elementsOf(applyVariant(manifest, manifest.variants[0]!).root as DraftElement)];
    expect(made.filter((element) => !old.has(element)).map(({ name }) => name)).toEqual([
      'distribution',
      ...['distro_constr_params', 'output_image', 'finalizer'],
      ...['img_params', 'hostname'],
    ]);
  });
});
