import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { applyVariant } from './apply-variant.js';
import { chooseVariants, findVariant, type ChosenVariants } from './choose-variants.js';
import { resolveVariant } from './check-variants.js';
import { formatProblem } from './format-problem.js';
import { manifestContent } from './manifest-content.js';
import type { Manifest } from './manifest.js';
import { queryManifest } from './query-manifest.js';
import { parseValid, smallManifest } from './testing.js';

const AXES = `
  <farm:variants>
    <farm:variant name="server"/>
    <farm:axis name="locale">
      <farm:value name="en"/>
      <farm:value name="de"><farm:package add="task-german"/></farm:value>
      <farm:value name="pt-BR" optional="true"><farm:set path="img_params/hostname" value="braz"/></farm:value>
    </farm:axis>
    <farm:axis name="edition">
      <farm:value name="base"/>
      <farm:value name="rescue">
        <farm:set path="img_params/hostname" value="rescue"/>
        <farm:package add="gddrescue"/>
      </farm:value>
      <farm:value name="12"><farm:package remove="vim"/><farm:package add="nano"/></farm:value>
    </farm:axis>
  </farm:variants>`;
const manifest = parseValid(smallManifest({ rest: AXES }));

const chosen = (
  of: Manifest,
  names: readonly string[],
  matrix: Readonly<Record<string, readonly string[]>> = {},
) => chooseVariants(of, { names, matrix: new Map(Object.entries(matrix)) });
const namesOf = (choice: ChosenVariants): readonly string[] =>
  choice.ok ? choice.variants.map(({ name }) => name) : [choice.reason, choice.hint];
const built = (name: string): Manifest => {
  const resolved = resolveVariant(manifest, findVariant(manifest, name)!);
  if (!resolved.ok) throw new Error(resolved.problems.map(formatProblem).join());
  return resolved.manifest;
};
const packages = ({ root }: Manifest) => {
  const answer = queryManifest(root, 'img_params/packages/pkg/name');
  return answer.ok ? answer.values : [];
};

describe('chooseVariants', () => {
  it('takes all variants, or those that are named, once', () => {
    expect(namesOf(chosen(manifest, []))).toEqual(['server']);
    expect(namesOf(chosen(manifest, ['locale-de', 'server', 'locale-de']))).toEqual(['locale-de', 'server']);
    expect(namesOf(chosen(parseValid(smallManifest()), []))).toEqual(['default']);
  });

  it('combines in document order, whatever order the matrix has', () => {
    const combined = [
      'locale-en.edition-rescue',
      'locale-en.edition-12',
      'locale-de.edition-rescue',
      'locale-de.edition-12',
    ];
    expect(namesOf(chosen(manifest, [], { locale: ['en', 'de'], edition: ['rescue', '12'] }))).toEqual(
      combined,
    );
    expect(namesOf(chosen(manifest, [], { edition: ['12', 'rescue', '12'], locale: ['de', 'en'] }))).toEqual(
      combined,
    );
  });

  it('takes all values of an axis without any, and leaves other axes alone', () => {
    expect(namesOf(chosen(manifest, [], { locale: [] }))).toEqual(['locale-en', 'locale-de', 'locale-pt-BR']);
    expect(namesOf(chosen(manifest, [], { locale: [], edition: [] }))).toHaveLength(9);
  });

  it.each<[string, readonly string[], Readonly<Record<string, readonly string[]>>, string, string]>([
    [
      'a variant',
      ['servr'],
      {},
      'the manifest has no variant "servr"',
      'Did you mean server? Its variants are: server.',
    ],
    [
      'a combination',
      ['locale-xx'],
      {},
      'the manifest has no variant "locale-xx"',
      'Its variants are: server.',
    ],
    [
      'an axis',
      [],
      { lokale: [] },
      'the manifest has no axis "lokale"',
      'Did you mean locale? Its axes are: locale, edition.',
    ],
    [
      'a value',
      [],
      { edition: ['base', 'rescu'] },
      'the axis "edition" has no value "rescu"',
      'Did you mean rescue? Its values are: base, rescue, 12.',
    ],
    [
      'a name that objects have',
      [],
      { constructor: [] },
      'the manifest has no axis "constructor"',
      'Its axes are: locale, edition.',
    ],
    [
      'both',
      ['server'],
      { locale: [] },
      'variants were named, and a matrix too',
      'Give one of the two; a combination can be named as a variant.',
    ],
  ])('does not know %s', (_, names, matrix, reason, hint) => {
    expect(namesOf(chosen(manifest, names, matrix))).toEqual([reason, hint]);
  });

  it('says that a manifest has no axis at all', () => {
    expect(namesOf(chosen(parseValid(smallManifest()), [], { locale: [] }))).toEqual([
      'the manifest has no axis "locale"',
      'It has none at all: they are <farm:axis> in <farm:variants>.',
    ]);
  });

  it('counts before it combines', () => {
    const value = (at: number): string => `<farm:value name="${at}"/>`;
    const axis = (at: number): string =>
      `<farm:axis name="a${at}">${Array.from({ length: 10 }, (_, n) => value(n)).join('')}</farm:axis>`;
    const many = parseValid(
      smallManifest({
        rest: `<farm:variants>${Array.from({ length: 20 }, (_, at) => axis(at)).join('')}</farm:variants>`,
      }),
    );
    const axes = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`a${at}`, []]));
    expect(namesOf(chosen(many, [], axes(3)))).toHaveLength(1000);
    expect(namesOf(chosen(many, [], axes(6)))).toEqual([
      'the matrix has 1000000 combinations (10 of a0 times 10 of a1 times 10 of a2 times 10 of a3 times 10 of a4 times 10 of a5), and a build may have 1000',
      'Name the values that are wanted, or submit it in parts.',
    ]);
    expect(namesOf(chosen(many, [], axes(20)))[0]).toContain(`has 1${'0'.repeat(20)} combinations`);
  });

  it('refuses a name that is too long', () => {
    const axis = (name: string): string =>
      `<farm:axis name="${name.repeat(16)}"><farm:value name="${name.repeat(16)}"/></farm:axis>`;
    const long = parseValid(
      smallManifest({ rest: `<farm:variants>${axis('a')}${axis('b')}</farm:variants>` }),
    );
    expect(namesOf(chosen(long, [], { ['a'.repeat(16)]: [] }))).toHaveLength(1);
    expect(namesOf(chosen(long, [], { ['a'.repeat(16)]: [], ['b'.repeat(16)]: [] }))[0]).toMatch(
      /has 67 characters, and the name of a variant may have 63$/,
    );
  });
});

describe('a combination', () => {
  it('makes the changes of its values, axis by axis', () => {
    const both = built('locale-pt-BR.edition-rescue');
    expect(packages(both)).toEqual(['vim', 'gddrescue']);
    expect(queryManifest(both.root, 'img_params/hostname')).toMatchObject({ values: ['rescue'] });
    expect(packages(built('locale-de.edition-12'))).toEqual(['task-german', 'nano']);
    expect(both.variants).toEqual([{ name: 'locale-pt-BR.edition-rescue', isOptional: true, changes: [] }]);
  });

  it('is what applyVariant makes of it', () => {
    for (const { name } of (
      chosen(manifest, [], { locale: [], edition: [] }) as { variants: readonly { name: string }[] }
    ).variants) {
      expect(manifestContent(applyVariant(manifest, findVariant(manifest, name)!))).toBe(
        manifestContent(built(name)),
      );
    }
  });

  it('is optional when one of its values is', () => {
    expect(findVariant(manifest, 'locale-pt-BR.edition-12')?.isOptional).toBe(true);
    expect(findVariant(manifest, 'locale-de.edition-12')?.isOptional).toBe(false);
  });

  it('is found by its own name only', () => {
    const { axes } = manifest;
    const part = fc.constantFrom(
      ...axes.flatMap(({ name, values }) => values.map((value) => `${name}-${value.name}`)),
      'locale',
      'x-y',
      '',
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 3 }), (parts) => {
        const name = parts.join('.');
        expect(findVariant(manifest, name)?.name ?? name).toBe(name);
        const isInOrder =
          parts.length <= 2 &&
          parts.every((each) => /^(locale|edition)-/.test(each)) &&
          (parts.length === 1 || (parts[0]!.startsWith('locale') && parts[1]!.startsWith('edition')));
        expect(findVariant(manifest, name) !== null).toBe(isInOrder);
      }),
    );
  });

  const changing = (a: string, b: string): readonly string[] => {
    const rest = `<farm:variants>\n<farm:axis name="a"><farm:value name="x">${a}</farm:value></farm:axis>\n<farm:axis name="b"><farm:value name="y">${b}</farm:value></farm:axis></farm:variants>`;
    const steps = ['pop', 'iso', 'usb']
      .map((name) => `<script name="s"><checkpoint name="${name}"/></script>`)
      .join('');
    const image = '<locale_list>C de_DE</locale_list><locale_defaults locale="C"/>';
    const both = parseValid(smallManifest({ rest, steps, image }));
    const result = resolveVariant(both, findVariant(both, 'a-x.b-y')!);
    return result.ok ? packages(result.manifest) : result.problems.map(formatProblem);
  };

  it('may leave a thing out twice', () => {
    const out = '<farm:package remove="vim"/><farm:package add="nano"/><farm:skip step="iso"/>';
    expect(changing(out, out)).toEqual(['nano']);
  });

  it('has to be in order itself', () => {
    expect(
      changing(
        '<farm:package remove="vim"/><farm:package add="nano"/>',
        '<farm:set path="img_params/packages/pkg[name=vim]/name" value="neovim"/>',
      ),
    ).toEqual([
      expect.stringMatching(
        /^test\.xml:17:\d+: .*farm:set: found "img_params\/packages\/pkg\[name=vim\]\/name", which matches nothing/,
      ),
    ]);
    expect(
      changing(
        '<farm:set path="img_params/locale_list" value="C"/>',
        '<farm:set path="img_params/locale_defaults/locale" value="de_DE"/>',
      ),
    ).toEqual([
      expect.stringMatching(
        /^test\.xml:17:\d+: .*locale_defaults\/@locale: found "de_DE" \(with variant "a-x\.b-y" applied\), expected one of locale_list: C$/,
      ),
    ]);
  });
});
