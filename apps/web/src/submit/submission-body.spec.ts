import { describe, expect, it } from '@jest/globals';
import { SubmitBuild } from '#libs/contracts';
import { AS_IT_IS } from './choice.js';
import { chosenVariants, sentFiles, sizeProblem, submissionBody } from './submission-body.js';
import { LIMITS } from './submission-limits.js';

const file = (path: string, above = 0) => ({
  path,
  above,
  executable: true,
  bytes: new TextEncoder().encode(path),
});
const paths = (address: string, files: readonly ReturnType<typeof file>[]): readonly string[] => {
  const sent = sentFiles({ address, text: '<x/>', files, changedAt: 1 });
  return [sent.manifestPath, ...sent.files.map(({ path }) => path)];
};

describe('the files that are sent', () => {
  it.each([
    ['a manifest alone', 'a/live.xml', [], ['live.xml']],
    [
      'its scripts below it',
      'live.xml',
      [file('steps/b'), file('steps/a')],
      ['live.xml', 'steps/a', 'steps/b'],
    ],
    [
      'all below the folder that they have in common',
      'farm/examples/live.xml',
      [file('farm/finalizers/pop')],
      ['examples/live.xml', 'finalizers/pop'],
    ],
    [
      'a manifest that was dropped without its folder',
      'live.xml',
      [file('finalizers/pop', 1), file('beside')],
      ['above/live.xml', 'above/beside', 'finalizers/pop'],
    ],
  ])('%s', (_, address, files, expected) => {
    expect(paths(address, files)).toEqual(expected);
  });

  it('are a body that the API takes, with their bytes', () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 256);
    const sent = sentFiles(
      { address: 'live.xml', text: '<x/>', files: [{ ...file('a'), bytes }], changedAt: 12 },
      [{ name: 'b', executable: false, bytes }],
    );
    const body = SubmitBuild.parse(submissionBody(sent, { variants: ['v'], matrix: {} }, AS_IT_IS, 'key'));
    expect(body).toMatchObject({
      variants: ['v'],
      sourceDateEpoch: 12,
      anySourceDateEpoch: true,
      reuse: true,
    });
    expect(body.files.map(({ path, executable }) => [path, executable])).toEqual([
      ['a', true],
      ['b', false],
    ]);
    for (const { base64 } of body.files)
      expect(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))).toEqual(bytes);
  });

  it('are as many, and as large, as the API takes', () => {
    const sent = { manifest: '', manifestPath: 'm', sourceDateEpoch: 0 };
    const one = { path: 'a', executable: false, base64: '' };
    const many = (count: number) => ({ ...sent, files: Array.from({ length: count }, () => one) });
    expect(sizeProblem(many(LIMITS.files))).toBeNull();
    expect(sizeProblem(many(LIMITS.files + 1))).toMatch(/^There are 501 files/);
    const accepted = (count: number): boolean =>
      SubmitBuild.safeParse({
        ...sent,
        files: Array.from({ length: count }, (_, n) => ({ ...one, path: `a${n}` })),
      }).success;
    expect([accepted(LIMITS.files), accepted(LIMITS.files + 1)]).toEqual([true, false]);
    const large = { ...one, base64: 'A'.repeat(LIMITS.bodyBytes) };
    expect(sizeProblem({ ...sent, files: [large] })).toMatch(/^The submission has /);
  });
});

describe('the variants that are meant', () => {
  const known = {
    variants: [{ name: 'default' }, { name: 'de' }],
    axes: [
      { name: 'locale', values: [{ name: 'en' }, { name: 'de' }] },
      { name: 'edition', values: [{ name: 'live' }, { name: 'rescue' }] },
    ],
  };
  it.each([
    ['all, without a word', { byAxes: false, variants: null, values: {} }, [], {}],
    ['all, ticked one by one', { byAxes: false, variants: ['de', 'default'], values: {} }, [], {}],
    [
      'one, and one of an earlier manifest',
      { byAxes: false, variants: ['de', 'gone'], values: {} },
      ['de'],
      {},
    ],
    ['some of an axis', { byAxes: true, variants: null, values: { locale: ['de'] } }, [], { locale: ['de'] }],
    [
      'all of an axis, none of another, and one of an earlier manifest',
      { byAxes: true, variants: ['de'], values: { locale: ['de', 'en'], edition: [], gone: ['x'] } },
      [],
      { locale: [] },
    ],
  ])('are %s', (_, choice, variants, matrix) => {
    expect(chosenVariants(choice, known)).toEqual({ variants, matrix });
  });

  it.each([
    [{ byAxes: false, variants: ['gone'], values: {} }],
    [{ byAxes: true, variants: null, values: { locale: [], gone: ['x'] } }],
  ])('are not all where none is ticked: %j', (choice) => {
    expect(chosenVariants(choice, known)).toBeNull();
  });
});
