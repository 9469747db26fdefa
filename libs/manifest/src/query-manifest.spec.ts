import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { keyNodepath } from './nodepath.js';
import { queryManifest } from './query-manifest.js';
import { parseValid, readFixture, smallManifest } from './testing.js';

const SCRIPT = 'distro_constr_params/output_image/finalizer/script';

const { root } = parseValid(
  smallManifest({
    steps: `<script name="pop"><checkpoint name="im-pop" message="Don't panic"/></script>
      <script name="mod" farm:timeout="1h"><checkpoint name="im-mod"/><argslist>"a b" "c"</argslist></script>
      <script name="mod"><checkpoint name="im-arch"/><farm:arg>x "y</farm:arg></script>`,
    image: `<pkg_repo_default_authority><main url="http://deb" authname="stable" farm:type="deb"/></pkg_repo_default_authority>
      <rootpass>hush</rootpass>
      <user username="jack"><password encrypted="false">hush</password></user>
      <user username="jill"><shell>/bin/sh</shell></user>`,
    rest: `<key_value_pairs><pair key="iso_sort" value="/etc/sort"/><pair key="a/b:c" value="x"/></key_value_pairs>
      <farm:variants><farm:variant name="v"><farm:set path="img_params/rootpass" value="hush"/></farm:variant></farm:variants>`,
  }),
);

function valuesOf(nodepath: string): readonly string[] | string {
  const result = queryManifest(root, nodepath);
  return result.ok ? result.values : result.reason;
}

describe('queryManifest', () => {
  it.each([
    ['name', ['Small']],
    ['distro_constr_params/build_area', ['rpool/dc']],
    [`${SCRIPT}/name`, ['pop', 'mod', 'mod']],
    [`${SCRIPT}/checkpoint/name`, ['im-pop', 'im-mod', 'im-arch']],
    [`${SCRIPT}[checkpoint/name="im-mod"]/argslist`, ['a b', 'c']],
    [`${SCRIPT}[checkpoint/name=im-arch]/argslist`, ['x "y']],
    [`${SCRIPT}[name=mod:checkpoint/name=im-mod]/checkpoint/name`, ['im-mod']],
    [`${SCRIPT}/checkpoint/name=im-pop`, ['im-pop']],
    [`${SCRIPT}/checkpoint/name="im-pop"/../message`, ["Don't panic"]],
    [`${SCRIPT}/checkpoint[name=im-pop]/message`, ["Don't panic"]],
    [`${SCRIPT}/checkpoint/name/../../name`, ['pop', 'mod', 'mod']],
    [`${SCRIPT}/checkpoint/../../script/name`, ['pop', 'mod', 'mod']],
    ['img_params/hostname', ['solaris']],
    ['img_params/user[shell="/bin/sh"]/username', ['jill']],
    ['img_params/user/UID', ['1000', '1001']],
    ['img_params/pkg_repo_default_authority/main/farm:type', ['deb']],
    ['distro_constr_params/output_image/boot_archive/compression/type', ['gzip']],
    [keyNodepath('iso_sort'), ['/etc/sort']],
    [keyNodepath('a/b:c'), ['x']],
    [keyNodepath('none'), []],
    ['img_params/nothing/here', []],
    ['constructor', []],
    ['__proto__', []],
    ['..', []],
    ['../distribution/name', []],
    ['name/../name', ['Small']],
  ])('%s', (nodepath, values) => {
    expect(valuesOf(nodepath)).toEqual(values);
  });

  it('gives a reason for what is no nodepath', () => {
    expect(valuesOf('/name')).toMatch(/does not start with/);
  });

  it.each([`${SCRIPT}/farm:timeout`, 'farm:variants/farm:variant/farm:set/value', `${SCRIPT}/farm:arg`])(
    'keeps the instructions to the engine to itself: %s',
    (nodepath) => {
      expect(valuesOf(nodepath)).toEqual([]);
    },
  );

  it.each([
    'img_params/rootpass',
    'img_params/user/password',
    'img_params/packages/../rootpass',
    'img_params/rootpass/is_plaintext/..',
    'img_params/user/shell/../password',
    'img_params[rootpass=hush]/hostname',
    'img_params/hostname[../rootpass=hush]',
    'img_params/hostname[../rootpass=guess]',
    'img_params/rootpass=guess',
    'img_params/user[password=hush]/username',
    'name[../img_params/user[password=hush]/username=jack]',
  ])('tells that %s depends on a password', (nodepath) => {
    expect(queryManifest(root, nodepath)).toMatchObject({ ok: true, isSecret: true });
  });

  it('shows a password to no query that it does not mark', () => {
    const part = fc.constantFrom(
      'img_params',
      'rootpass',
      'user',
      'password',
      '..',
      'is_plaintext',
      'hostname',
      'farm:variants',
    );
    const predicate = fc.tuple(part, part).map(([a, b]) => `[${a}/${b}=hush]`);
    const step = fc.tuple(part, fc.oneof(fc.constant(''), predicate)).map((pair) => pair.join(''));
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
        const result = queryManifest(root, steps.join('/'));
        if (result.ok && !result.isSecret) expect(result.values.join()).not.toContain('hush');
      }),
      { numRuns: 2000 },
    );
  });

  it('never throws, and is quick, whatever it is asked', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from('ab/:[]="\'\\ .'), 'name', '..', 'img_params') }),
        (nodepath) => {
          expect(typeof queryManifest(root, nodepath).ok).toBe('boolean');
        },
      ),
    );
    const { root: large } = parseValid(readFixture('valid/slim_cd_x86.xml'));
    const upAndDown = `img_params/packages/pkg${'/../pkg'.repeat(500)}/name`;
    expect(queryManifest(large, upAndDown)).toMatchObject({ ok: true, isSecret: false });
    const script = `${SCRIPT}[../script[../script[../script[../script/name=x]/name=x]/name=x]/name=x]`;
    const include = script
      .replaceAll('script', 'base_include')
      .replace(/^.*?\[/, 'img_params/boot_archive_contents/base_include[');
    expect(queryManifest(large, include)).toMatchObject({ ok: false });
  });
});
