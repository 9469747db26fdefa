import { describe, expect, it } from '@jest/globals';
import { parseManifest, type Manifest } from '#libs/manifest';
import { ingredientChanges } from './ingredient-changes.js';
import { planBuild } from './plan-build.js';
import { stepIngredients, type KeyWorld, type StepIngredients } from './step-ingredients.js';

interface Change {
  readonly packages?: readonly string[];
  readonly hostname?: string;
  readonly rootpass?: string;
  readonly name?: string;
  readonly reads?: string | null;
  readonly args?: string;
  readonly script?: string;
  readonly world?: Partial<KeyWorld>;
}

function manifestOf(change: Change): Manifest {
  const { packages = ['vim', 'mc'], hostname = 'a', rootpass = 'secret', name = 'Test', args = '' } = change;
  const { reads = 'img_params' } = change;
  const parsed = parseManifest(
    `<distribution name="${name}" xmlns:farm="urn:distrofarm:1"><distro_constr_params><build_area>tank/dc</build_area>
    <output_image><finalizer><script name="pop"><checkpoint name="pop"/>${args}
    ${reads === null ? '' : `<farm:reads>${reads}</farm:reads>`}<farm:requires tools="xorriso"/></script></finalizer></output_image></distro_constr_params>
    <img_params><packages>${packages.map((pkg) => `<pkg name="${pkg}"/>`).join('')}</packages><rootpass>${rootpass}</rootpass>
    <boot_archive_contents><base_include type="dir">boot</base_include></boot_archive_contents><hostname>${hostname}</hostname></img_params></distribution>`,
    { file: 'test.xml', now: new Date(0) },
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.manifest;
}

function ingredients(change: Change = {}): StepIngredients {
  const manifest = manifestOf(change);
  const source = { path: '/pop', digest: change.script ?? 'script', reads: null, environment: [] };
  const [step] = planBuild(manifest, '', [source]).steps;
  const world: KeyWorld = {
    sourceDateEpoch: 1,
    fingerprints: new Map(),
    toolVersions: new Map([['xorriso', ['1.5.4']]]),
    filesDigest: 'files',
    ...change.world,
  };
  return stepIngredients(step!, manifest, world)!;
}

describe('ingredientChanges', () => {
  it.each<[string, Change, readonly string[], Change?]>([
    ['nothing', {}, []],
    ['a script', { script: 'other' }, ['its script changed']],
    ['arguments', { args: '<farm:arg>i386</farm:arg>' }, ['its arguments changed from none to "i386"']],
    ['a value', { hostname: 'b' }, ['img_params/hostname changed from a to b']],
    ['a package more', { packages: ['vim', 'mc', 'nano'] }, ['img_params gained nano']],
    [
      'a package for another',
      { packages: ['vim', 'nano'] },
      ['img_params/packages/pkg@name changed from mc to nano'],
    ],
    ['the order of packages', { packages: ['mc', 'vim'] }, ['img_params changed in its order']],
    [
      'many packages',
      { packages: ['vim', 'a', 'b', 'c', 'd', 'e'] },
      ['img_params gained a, b, c and 2 more and lost mc'],
    ],
    ['a password, which is not told', { rootpass: 'geheim' }, ['img_params/rootpass changed']],
    [
      'what a step sees that declares nothing',
      { hostname: 'b', reads: null },
      ['the manifest (it declares no reads)/img_params/hostname changed from a to b'],
      { reads: null },
    ],
    [
      'a read more',
      { reads: 'img_params name' },
      ['it reads name now', 'DC_DISTRIBUTION changed from none to Test'],
    ],
    [
      'a tool and the image time',
      { world: { toolVersions: new Map([['xorriso', ['1.5.4', '1.5.6']]]), sourceDateEpoch: 2 } },
      ['tool xorriso changed from 1.5.4 to 1.5.4 or 1.5.6', 'the image time changed from 1 to 2'],
    ],
    [
      'files that lie with the manifest',
      { reads: null, world: { filesDigest: 'others' } },
      ['the files that lie with the manifest changed'],
      { reads: null },
    ],
  ])('says of %s what changed', (_, change, words, before = {}) => {
    const changes = ingredientChanges(ingredients(before), ingredients(change));
    expect(changes).toEqual(words);
    expect(changes.join()).not.toMatch(/secret|geheim/);
  });
});
