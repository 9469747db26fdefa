import { describe, expect, it } from '@jest/globals';
import { findVariant } from './choose-variants.js';
import { parseValid, smallManifest } from './testing.js';
import { variantDifference } from './variant-difference.js';

function difference(changes: string) {
  const manifest = parseValid(
    smallManifest({
      image:
        '<hostname>a</hostname><user username="u"><password>hush</password></user><locale_list>"C" "de_DE"</locale_list><locale_defaults locale="C"/>',
      steps: ['pop', 'iso', 'usb']
        .map((name) => `<script name="s"><checkpoint name="${name}"/></script>`)
        .join(''),
      rest: `<farm:variants><farm:variant name="v">${changes}</farm:variant></farm:variants>`,
    }),
  );
  return variantDifference(manifest, findVariant(manifest, 'v')!);
}
const set = (path: string, value: string): string => `<farm:set path='${path}' value='${value}'/>`;
const NOTHING = { values: [], packages: { added: [], removed: [] }, skipped: [] };

describe('variantDifference', () => {
  it('has values before and after, packages and steps', () => {
    expect(
      difference(
        set('img_params/hostname', 'b') +
          set('name', 'Other') +
          set('img_params/locale_list', '"C" "fr_FR" "x"') +
          '<farm:package remove="vim"/><farm:package add="nano"/><farm:package add="joe"/><farm:skip step="iso"/>',
      ),
    ).toEqual({
      values: [
        { path: 'img_params/hostname', isSecret: false, from: ['a'], to: ['b'] },
        { path: 'name', isSecret: false, from: ['Small'], to: ['Other'] },
        { path: 'img_params/locale_list', isSecret: false, from: ['C', 'de_DE'], to: ['C', 'fr_FR', 'x'] },
      ],
      packages: { added: ['nano', 'joe'], removed: ['vim'] },
      skipped: ['iso'],
    });
  });

  it('is what comes out, not what was done on the way', () => {
    expect(difference('')).toEqual(NOTHING);
    expect(difference(set('img_params/hostname', 'b') + set('img_params/hostname', 'a'))).toEqual(NOTHING);
    expect(
      difference('<farm:package add="nano"/><farm:package remove="nano"/><farm:package add="vim"/>'),
    ).toEqual(NOTHING);
    expect(
      difference(set('img_params/hostname', 'b') + set('img_params/packages/../hostname', 'c')).values,
    ).toEqual([{ path: 'img_params/hostname', isSecret: false, from: ['a'], to: ['c'] }]);
    expect(
      difference(
        set('img_params/user[username=u]/username', 'v') + set('img_params/user[username=v]/username', 'w'),
      ).values,
    ).toEqual([{ path: 'img_params/user[username=u]/username', isSecret: false, from: ['u'], to: ['w'] }]);
  });

  it('never shows a password', () => {
    const secret = (path: string) => ({ path, isSecret: true, from: [], to: [] });
    const changed = difference(
      set('img_params/rootpass', 'new') +
        set('img_params/user[username=u]/password', 'other') +
        set('img_params/user[password=other]/homedir', '/x') +
        set('img_params/user/password=other', 'third'),
    );
    expect(changed.values).toEqual([
      secret('img_params/rootpass'),
      secret('img_params/user[…]/password'),
      secret('img_params/user[…]/homedir'),
    ]);
    expect(JSON.stringify(changed)).not.toMatch(/new|other|third|hush/);
    expect(difference(set('img_params/user/password=hush', 'x')).values).toEqual([
      secret('img_params/user/password=…'),
    ]);
  });
});
