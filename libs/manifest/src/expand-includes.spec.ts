import { describe, expect, it } from '@jest/globals';
import { formatProblem } from './format-problem.js';
import { placeOfStep } from './included-path.js';
import { manifestContent } from './manifest-content.js';
import { parseManifest, type ManifestResult } from './parse-manifest.js';
import { parseValid, smallManifest } from './testing.js';

const part = (inside: string): string => `<farm:part xmlns:farm="urn:distrofarm:1">${inside}</farm:part>`;
const include = (href: string): string => `<farm:include href="${href}"/>`;

/** `files` by path from the manifest's folder. */
function parse(text: string, files: Readonly<Record<string, string>> = {}): ManifestResult {
  const found = new Map(Object.entries(files));
  return parseManifest(text, {
    file: 'images/live.xml',
    now: new Date(2010, 8, 14, 13, 5),
    included: (path) => {
      const content = found.get(path);
      return content === undefined ? { ok: false, reason: 'does not exist' } : { ok: true, text: content };
    },
  });
}

function problems(text: string, files: Readonly<Record<string, string>> = {}): readonly string[] {
  const result = parse(text, files);
  return result.ok ? [] : result.problems.map(formatProblem);
}

const withSteps = (steps: string): string => smallManifest({ steps });
const step = (name: string): string => `<script name="${name}"><checkpoint name="${name}"/></script>`;

describe('an included part', () => {
  it('stands for the elements in it', () => {
    const text = smallManifest({ image: '<hostname>a</hostname>', rest: include('pairs.xml') });
    const result = parse(
      text.replace('<pkg name="vim"/>', `<pkg name="a"/>${include('more/packages.xml')}`),
      {
        'pairs.xml': part('<key_value_pairs><pair key="k" value="v"/></key_value_pairs>'),
        'more/packages.xml': part(`${include('../one.xml')}<pkg name="c"/>`),
        'one.xml': part('<pkg name="b"/>'),
      },
    );
    const written = smallManifest({
      image: '<hostname>a</hostname>',
      rest: '<key_value_pairs><pair key="k" value="v"/></key_value_pairs>',
    }).replace('<pkg name="vim"/>', '<pkg name="a"/><pkg name="b"/><pkg name="c"/>');
    if (!result.ok) throw new Error(result.problems.map(formatProblem).join());
    expect(manifestContent(result.manifest)).toBe(manifestContent(parseValid(written)));
    expect(result.manifest.includes).toEqual(['more/packages.xml', 'one.xml', 'pairs.xml']);
  });

  it('may be empty, and may stand several times', () => {
    const text = withSteps(`${include('none.xml')}${step('a')}${include('none.xml')}`);
    expect(problems(text, { 'none.xml': part('') })).toEqual([]);
  });

  it('has steps whose place is in its own file', () => {
    const result = parse(withSteps(step('a') + include('shared/b.xml')), {
      'shared/b.xml': part(`\n\n${step('b')}`),
    });
    if (!result.ok) throw new Error('refused');
    const [first, second] = result.manifest.steps;
    expect([placeOfStep('images/live.xml', first!), placeOfStep('images/live.xml', second!)]).toEqual([
      'images/live.xml:6',
      'images/shared/b.xml:3',
    ]);
    expect(second?.script).toBe('b');
  });

  it('has its problems at its own lines, behind those of the manifest', () => {
    const text = smallManifest({ attributes: 'name="a b"', image: include('shared/host.xml') });
    expect(
      problems(text, { 'shared/host.xml': part('\n <hostname>-</hostname>\n <rootpas>x</rootpas>') }),
    ).toEqual([
      expect.stringMatching(/^images\/live\.xml:1:45: distribution\/@name: found "a b"/),
      expect.stringMatching(/^images\/shared\/host\.xml:2:2: distribution\/img_params\/hostname: found "-"/),
      expect.stringMatching(
        /^images\/shared\/host\.xml:3:2: .* unknown element <rootpas>.*did you mean rootpass/,
      ),
    ]);
  });

  it('is XML by the same rules', () => {
    const text = smallManifest({ image: include('a.xml') });
    expect(problems(text, { 'a.xml': '<!DOCTYPE a>\n<a/>' })).toEqual([
      expect.stringMatching(/^images\/a\.xml:1:1: XML: found "<!DOCTYPE"/),
    ]);
    expect(problems(text, { 'a.xml': part('\n<hostname>') })).toEqual([
      expect.stringMatching(/^images\/a\.xml:\d+:\d+: XML: found XML that is not well-formed/),
    ]);
  });
});

describe('an include is refused', () => {
  const image = (href: string): string => smallManifest({ image: include(href) });

  it.each([
    '../a.xml',
    '/etc/shadow',
    'b/../../a.xml',
    'file:///etc/shadow',
    'http://x/a.xml',
    '.',
    '',
    'a//b',
    'a\\b',
  ])('to %s', (href) => {
    expect(problems(image(href), { 'a.xml': part('') })).toEqual([
      expect.stringMatching(
        /^images\/live\.xml:13:19: .*farm:include\/@href: found .* expected a path relative to this file, to a file in the manifest's folder/,
      ),
    ]);
  });

  it('that leads out from below', () => {
    expect(problems(image('x/a.xml'), { 'x/a.xml': part(include('../../b.xml')) })).toEqual([
      expect.stringMatching(
        /^images\/x\/a\.xml:1:56: farm:part\/farm:include\/@href: found "\.\.\/\.\.\/b\.xml"/,
      ),
    ]);
  });

  it('of a file that is not there, with the reason', () => {
    expect(problems(image('a.xml'))).toEqual([
      expect.stringMatching(
        /found "a\.xml", which does not exist, expected a file with <farm:part> as its root$/,
      ),
    ]);
    const alone = parseManifest(image('a.xml'), { file: 'live.xml', now: new Date(0) });
    expect(alone.ok ? [] : alone.problems).toMatchObject([{ found: '"a.xml", which is not at hand here' }]);
  });

  it('in a circle, with the way it goes', () => {
    const files = { 'a.xml': part(include('b/b.xml')), 'b/b.xml': part(include('../a.xml')) };
    expect(problems(image('a.xml'), files)).toEqual([
      expect.stringContaining(
        'images/b/b.xml:1:56: farm:part/farm:include/@href: found a file that includes itself: a.xml, which includes b/b.xml, which includes a.xml,',
      ),
    ]);
    expect(problems(image('live.xml'))).toEqual([
      expect.stringContaining('found a file that includes itself: live.xml, which includes live.xml,'),
    ]);
  });

  it('of a manifest, or what else is no part', () => {
    const said = (root: string): readonly string[] => problems(image('a.xml'), { 'a.xml': root });
    expect(said(smallManifest())).toEqual([
      expect.stringMatching(
        /^images\/a\.xml:1:1: distribution: found the root element <distribution>, expected <farm:part>/,
      ),
    ]);
    expect(said('<part/>')).toEqual([expect.stringContaining('the root element <part>')]);
    expect(said('<f:part xmlns:f="urn:distrofarm:1" a="b">text</f:part>')).toEqual([
      expect.stringContaining('farm:part: found the text "text"'),
      expect.stringContaining('farm:part/@a: found an unknown attribute'),
    ]);
  });

  it('with anything beside its href', () => {
    const text = smallManifest({ image: '<farm:include parse="text"><a/></farm:include>' });
    expect(problems(text)).toEqual([
      expect.stringContaining('farm:include: found something inside'),
      expect.stringContaining('farm:include/@href: found no such attribute'),
      expect.stringContaining('farm:include/@parse: found an unknown attribute'),
    ]);
  });

  it('too deep', () => {
    const chain = (count: number): Record<string, string> =>
      Object.fromEntries(
        Array.from({ length: count }, (_, at) => [
          `${at}.xml`,
          part(at + 1 < count ? include(`${at + 1}.xml`) : ''),
        ]),
      );
    expect(problems(image('0.xml'), chain(8))).toEqual([]);
    expect(problems(image('0.xml'), chain(9))).toEqual([
      expect.stringContaining(
        'images/7.xml:1:56: farm:part/farm:include/@href: found a file included through 8 others',
      ),
    ]);
  });

  it('into more levels than a manifest may have', () => {
    const nested = (inside: string): string => `${'<a>'.repeat(50)}${inside}${'</a>'.repeat(50)}`;
    expect(
      problems(image('a.xml'), { 'a.xml': part(nested(include('b.xml'))), 'b.xml': part(nested('')) }),
    ).toEqual([
      expect.stringMatching(/^images\/b\.xml:.* found one level more, expected at most 64 levels$/),
    ]);
  });

  it('too often, once', () => {
    const files = { 'a.xml': part(include('b.xml').repeat(60)), 'b.xml': part('') };
    expect(problems(withSteps(step('a') + include('a.xml').repeat(3)), files)).toEqual([
      expect.stringContaining('found one file more, expected at most 100 inclusions'),
    ]);
  });

  it('when all of it together is more than a manifest may be', () => {
    const large = part(`<!--${'x'.repeat(300 * 1024)}-->`);
    expect(problems(withSteps(step('a') + include('a.xml').repeat(3)), { 'a.xml': large })).toEqual([]);
    expect(problems(withSteps(step('a') + include('a.xml').repeat(10)), { 'a.xml': large })).toEqual([
      expect.stringMatching(
        /found \d+ bytes in all, with "a\.xml", expected at most 1048576 of the manifest and all it includes$/,
      ),
    ]);
    const many = part('<pkg name="a"/>'.repeat(9000));
    expect(problems(image('a.xml'), { 'a.xml': part(include('b.xml').repeat(3)), 'b.xml': many })).toEqual([
      expect.stringMatching(/found 2\d{4} elements in all, expected at most 20000/),
    ]);
  });
});
