import { describe, expect, it } from '@jest/globals';
import { manifestContent, readContent } from './manifest-content.js';
import { parseValid, smallManifest } from './testing.js';

const contentOf = (text: string): string => manifestContent(parseValid(text));
const base = smallManifest();

describe('manifestContent', () => {
  it.each([
    ['comments and blanks', base.replaceAll('><', '>\n  <!-- why -->\n<')],
    ['a step message', base.replace('<checkpoint name="iso"', '<checkpoint message="Write it" name="iso"')],
    ['a default written out', smallManifest({ image: '<hostname>solaris</hostname>' })],
    ['limits of a step', base.replace('<script name="iso"', '<script name="iso" farm:timeout="1h"')],
    ['variants', smallManifest({ rest: '<farm:variants><farm:variant name="v"/></farm:variants>' })],
    ['another prefix', base.replaceAll('farm', 'f')],
    ['how arguments are written', base],
  ])('is the same with %s changed', (_, text) => {
    expect(contentOf(text)).toBe(contentOf(base));
  });

  it.each([
    ['a package', base.replace('vim', 'nano')],
    ['the order of packages', base.replace('<pkg name="vim"/>', '<pkg name="b"/><pkg name="vim"/>')],
    ['the name of a step', base.replace('<checkpoint name="iso"', '<checkpoint name="isos"')],
    ['the password', smallManifest({ image: '<rootpass>x</rootpass>' })],
  ])('differs with %s changed', (_, text) => {
    expect(contentOf(text)).not.toBe(contentOf(base));
  });

  it('does not care how arguments are quoted, only what they are', () => {
    const withList = (list: string): string =>
      smallManifest({ steps: `<script name="a"><checkpoint name="a"/>${list}</script>` });
    const quoted = contentOf(withList('<argslist>"a b"  "c"</argslist>'));
    expect(contentOf(withList(`<argslist>'a b' 'c'</argslist>`))).toBe(quoted);
    expect(contentOf(withList('<farm:arg>a b</farm:arg><farm:arg>c</farm:arg>'))).toBe(quoted);
    expect(contentOf(withList('<argslist>"a" "b c"</argslist>'))).not.toBe(quoted);
  });
});

describe('readContent', () => {
  const { root } = parseValid(smallManifest({ image: '<hostname>a</hostname>' }));

  it('has all below the path', () => {
    expect(readContent(root, 'img_params')).toContain('vim');
    expect(readContent(root, 'img_params/packages')).toContain('vim');
    expect(readContent(root, 'img_params/packages')).not.toContain('hostname');
  });

  it('has the values of attributes', () => {
    expect(readContent(root, 'img_params/packages/pkg/name')).toBe('["vim"]');
  });

  it('is empty for what matches nothing or is no nodepath', () => {
    expect(readContent(root, 'nothing')).toBe('[]');
    expect(readContent(root, '/')).toBe('[]');
  });
});
