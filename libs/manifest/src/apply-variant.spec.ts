import { describe, expect, it } from '@jest/globals';
import { applyVariant } from './apply-variant.js';
import { manifestContent } from './manifest-content.js';
import { queryManifest } from './query-manifest.js';
import { parseValid, readFixture, smallManifest } from './testing.js';

const manifest = parseValid(readFixture('valid/farm.xml'));
const variant = (name: string) =>
  applyVariant(
    manifest,
    manifest.variants.find((each) => each.name === name)!,
  );

describe('applyVariant', () => {
  it('makes the changes of the variant', () => {
    const server = variant('server');
    expect(server.name).toBe('Example_Server_X86');
    expect(server.steps.map((step) => step.name)).toEqual(['im-pop', 'ba-arch', 'ba-arch-32', 'iso']);
    expect(queryManifest(server.root, 'img_params/hostname')).toMatchObject({ values: ['server'] });
    expect(queryManifest(server.root, 'img_params/packages/pkg/name')).toMatchObject({
      values: ['linux-image-amd64', 'openssh-server'],
    });
    expect(server.variants).toEqual([{ name: 'server', isOptional: true, changes: [] }]);
  });

  it('numbers the steps anew after one is skipped', () => {
    const text = smallManifest({
      steps: ['im-pop', 'iso', 'usb']
        .map((name) => `<script name="s"><checkpoint name="${name}"/></script>`)
        .join(''),
      rest: '<farm:variants><farm:variant name="v"><farm:skip step="iso"/></farm:variant></farm:variants>',
    });
    const small = parseValid(text);
    expect(applyVariant(small, small.variants[0]!).steps).toMatchObject([
      { index: 0, name: 'im-pop' },
      { index: 1, name: 'usb' },
    ]);
  });

  it('replaces arguments, however they were written', () => {
    expect(variant('small').steps[1]?.args).toEqual(['amd64', 'small']);
  });

  it('changes nothing for a variant without changes', () => {
    expect(manifestContent(variant('default'))).toBe(manifestContent(manifest));
    expect(variant('default').steps).toEqual(manifest.steps);
  });

  it('leaves the manifest as it was', () => {
    const before = manifestContent(manifest);
    variant('server');
    expect(manifestContent(manifest)).toBe(before);
  });

  it('adds a package once', () => {
    const text = smallManifest({
      rest: '<farm:variants><farm:variant name="v"><farm:package add="vim"/></farm:variant></farm:variants>',
    });
    const small = parseValid(text);
    expect(manifestContent(applyVariant(small, small.variants[0]!))).toBe(manifestContent(small));
  });
});
