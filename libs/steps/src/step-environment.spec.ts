import { describe, expect, it } from '@jest/globals';
import { parseManifest, type Manifest } from '#libs/manifest';
import { planBuild, type PlannedStep } from '#libs/plan';
import { ownVariables } from './step-environment.js';

function stepOf(reads: string | null, environment: readonly string[]): [PlannedStep, Manifest] {
  const text = `<distribution name="Test" xmlns:farm="urn:distrofarm:1">
    <distro_constr_params><build_area>tank/dc</build_area><output_image><finalizer>
      <script name="pop" farm:lane="x"><checkpoint name="im-pop"/>${reads === null ? '' : `<farm:reads>${reads}</farm:reads>`}</script>
    </finalizer></output_image></distro_constr_params>
    <vmimg_params/></distribution>`;
  const parsed = parseManifest(text, { file: '/images/test.xml', now: new Date(0) });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const plan = planBuild(parsed.manifest, text, [{ path: '/pop', digest: 'd', reads: null, environment }]);
  return [plan.steps[0] as PlannedStep, parsed.manifest];
}

describe('ownVariables', () => {
  const ALL = { DC_STEP: 'im-pop', DC_LANE: 'x', DC_DISTRIBUTION: 'Test', DC_MANIFEST_FOLDER: '/images' };

  it.each<[string, string | null, readonly string[], Partial<typeof ALL>]>([
    ['that declares nothing all', null, [], ALL],
    ['that reads nothing none', '', [], {}],
    ['that reads the name the one that has it', 'img_params name', [], { DC_DISTRIBUTION: 'Test' }],
    [
      'that declares them those',
      '',
      ['DC_STEP', 'DC_MANIFEST_FOLDER'],
      { DC_STEP: 'im-pop', DC_MANIFEST_FOLDER: '/images' },
    ],
    ['no other variable by naming it', '', ['HOME', 'DC_DISTRIBUTION'], {}],
  ])('gives a step %s', (_, reads, environment, expected) => {
    expect(ownVariables(...stepOf(reads, environment))).toEqual(expected);
  });
});
