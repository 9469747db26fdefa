import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SubmitBuild } from '#libs/contracts';
import { planKeys } from '#libs/plan';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { planReuse } from '../decide/plan-reuse.js';
import { planSubmission, type PlannedSubmission } from './plan-submission.js';

const ROOT = resolve(import.meta.dirname, '../../../..');
const MANIFEST = 'examples/debian-family.xml';
const BASE = ['im-pop', 'im-locale', 'ba-init'];
const MATRIX = ['en', 'de', 'fr', 'es'].flatMap((locale) =>
  ['base', 'rescue'].map((edition) => `locale-${locale}.edition-${edition}`),
);

/** What the family's submission becomes where nothing is at hand: by variant, `<step> <variant that runs it>`. */
function fates({ variants }: PlannedSubmission): ReadonlyMap<string, readonly string[]> {
  const keyed = variants.map((variant) => {
    const names = variant.plan.steps.map(({ name }) => [name, 'unchanged'] as const);
    const fingerprints = new Map(names);
    const world = { sourceDateEpoch: 1, fingerprints, toolVersions: new Map(), filesDigest: 'same' };
    return { ...variant, keys: planKeys(variant.plan, variant.manifest, world) };
  });
  const planned = planReuse(keyed, { results: new Map(), states: new Map() });
  return new Map(
    variants.map(({ name, plan }) => [
      name,
      plan.steps.map((step) => {
        const fate = planned.get(name)?.get(step.index);
        return `${step.name} ${fate?.kind === 'shared' ? fate.with : name}`;
      }),
    ]),
  );
}

describe('debian-family', () => {
  let scratch: string;
  let family: PlannedSubmission;
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'example-family-'));
    const names = await readdir(ROOT + '/finalizers', { recursive: true, withFileTypes: true });
    const paths = names
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name).slice(ROOT.length + 1));
    const files = [...paths, 'examples/debian-family/variants.xml'].map(async (path) => ({
      path,
      executable: true,
      base64: (await readFile(join(ROOT, path))).toString('base64'),
    }));
    const submission = SubmitBuild.parse({
      manifest: await readFile(join(ROOT, MANIFEST), 'utf8'),
      manifestPath: MANIFEST,
      files: await Promise.all(files),
      sourceDateEpoch: 1,
      variants: [...MATRIX, 'serial', 'kiosk'],
    });
    family = await planSubmission(submission, scratch, new Date(0));
  });
  afterAll(() => rm(scratch, { recursive: true }));

  it('has ten variants, of which one is optional', () => {
    expect(family.variants.map(({ name }) => name)).toEqual([...MATRIX, 'serial', 'kiosk']);
    expect(family.variants.filter(({ isOptional }) => isOptional).map(({ name }) => name)).toEqual(['kiosk']);
  });

  it('shares its base among all, and the layer of an edition among its languages', () => {
    const [first = '', firstRescue = ''] = MATRIX;
    for (const [name, steps] of fates(family)) {
      const shared = BASE.map((step) => `${step} ${first}`);
      const edition = name.endsWith('rescue') ? [`layer-edition ${firstRescue}`] : [];
      // The two with names of their own are of the English base.
      const language = name.includes('.') ? name : first;
      expect(steps.slice(0, 4 + edition.length)).toEqual([
        ...shared,
        ...edition,
        `layer-language ${language}`,
      ]);
      expect(steps.slice(4 + edition.length).every((step) => step.endsWith(` ${name}`))).toBe(true);
    }
  });
});
