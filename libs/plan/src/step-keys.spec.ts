import { describe, expect, it } from '@jest/globals';
import { applyVariant, parseManifest, queryManifest, readsCover, type Manifest } from '#libs/manifest';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import type { Job, Plan, PlannedStep } from './plan.js';
import { planBuild } from './plan-build.js';
import { seesVariable, type KeyWorld } from './step-ingredients.js';
import { planKeys, type PlanKeys } from './step-keys.js';

interface Step {
  readonly name: string;
  readonly lane?: string;
  readonly args?: readonly string[];
  readonly reads?: string | null;
  readonly output?: string;
  readonly fingerprint?: string;
  readonly tools?: string;
  readonly message?: string;
}

interface Image {
  readonly name?: string;
  readonly hostname?: string;
  readonly packages?: readonly string[];
  readonly rest?: string;
}

const WORLD: KeyWorld = {
  sourceDateEpoch: 1,
  fingerprints: new Map(),
  toolVersions: new Map(),
  filesDigest: 'files',
};

function manifestOf(steps: readonly Step[], image: Image = {}): Manifest {
  const scripts = steps.map(
    ({ name, lane = 'main', args = [], reads = '', output, fingerprint, tools, message = 'm' }) =>
      `<script name="${name}" farm:lane="${lane}"><checkpoint name="${name}" message="${message}"/>` +
      args.map((arg) => `<farm:arg>${arg}</farm:arg>`).join('') +
      (output === undefined ? '' : `<farm:output path="${output}"/>`) +
      (reads === null ? '' : `<farm:reads>${reads}</farm:reads>`) +
      (fingerprint === undefined ? '' : `<farm:fingerprint>${fingerprint}</farm:fingerprint>`) +
      (tools === undefined ? '' : `<farm:requires tools="${tools}"/>`) +
      '</script>',
  );
  const packages = (image.packages ?? ['vim']).map((pkg) => `<pkg name="${pkg}"/>`).join('');
  const text = `<distribution xmlns:farm="urn:distrofarm:1" name="${image.name ?? 'Test'}">
    <distro_constr_params><build_area>tank/dc</build_area>
      <output_image><finalizer>${scripts.join('')}</finalizer></output_image></distro_constr_params>
    <img_params><packages>${packages}</packages>
      <boot_archive_contents><base_include type="dir">boot</base_include></boot_archive_contents>
      <hostname>${image.hostname ?? 'host'}</hostname></img_params>
    ${image.rest ?? ''}</distribution>`;
  const parsed = parseManifest(text, { file: 'test.xml', now: new Date(0) });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.manifest;
}

type Scripts = Readonly<Record<string, string>>;

function planOf(manifest: Manifest, scripts: Scripts = {}): Plan {
  const sources = manifest.steps.map(({ name }) => ({
    path: `/${name}`,
    digest: scripts[name] ?? 'script',
    reads: null,
    environment: [],
  }));
  return planBuild(manifest, 'text', sources);
}

function keysOf(
  steps: readonly Step[],
  image: Image = {},
  world: Partial<KeyWorld> = {},
  scripts: Scripts = {},
): PlanKeys {
  const manifest = manifestOf(steps, image);
  return planKeys(planOf(manifest, scripts), manifest, { ...WORLD, ...world });
}

/** How many boundaries, from the first on, have the same keys. */
function shared(a: PlanKeys, b: PlanKeys): number {
  const differs = a.boundaries.findIndex((key, index) => key !== b.boundaries[index]);
  return differs < 0 ? a.boundaries.length : differs;
}

const CHAIN: readonly Step[] = [
  { name: 'pop', reads: 'img_params/packages' },
  { name: 'mod', reads: 'img_params/hostname' },
  { name: 'iso', reads: 'name' },
  { name: 'end' },
];

describe('planKeys', () => {
  it('has in the key of main what lanes before it could have written to a media folder that all share', () => {
    const steps = (arg: string): readonly Step[] => [
      { name: 'pop', reads: 'name' },
      { name: 'usb', reads: 'name', lane: 'usb', args: [arg] },
      { name: 'iso', reads: 'name', lane: 'iso' },
      { name: 'sums', reads: 'name' },
    ];
    const keysWith = (arg: string, oneMediaFolder: boolean) =>
      keysOf(steps(arg), {}, { oneMediaFolder }).ends;
    const changed = (oneMediaFolder: boolean) => {
      const [one, other] = [keysWith('a', oneMediaFolder), keysWith('b', oneMediaFolder)];
      return one.map((key, job) => key !== other[job]);
    };
    expect(changed(false)).toEqual([false, true, false, false]);
    expect(changed(true)).toEqual([false, true, false, true]);
  });

  it('gives each boundary and each end a key of its own', () => {
    const { boundaries, ends } = keysOf(CHAIN);
    expect(new Set([...boundaries, ...ends]).size).toBe(5);
    expect(boundaries).toHaveLength(4);
    expect(boundaries[0]).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each<[string, PlanKeys, number]>([
    ['what the first step reads', keysOf(CHAIN, { packages: ['vim', 'nano'] }), 1],
    ['what the second step reads', keysOf(CHAIN, { hostname: 'other' }), 2],
    ['what the third step reads', keysOf(CHAIN, { name: 'Other' }), 3],
    ['the second script', keysOf(CHAIN, {}, {}, { mod: 'changed' }), 2],
    [
      'an argument of the second step',
      keysOf(CHAIN.map((step) => (step.name === 'mod' ? { ...step, args: ['x'] } : step))),
      2,
    ],
    ['the image time', keysOf(CHAIN, {}, { sourceDateEpoch: 2 }), 1],
    [
      'what no step reads',
      keysOf(CHAIN, { rest: '<key_value_pairs><pair key="a" value="b"/></key_value_pairs>' }),
      4,
    ],
    ['a message', keysOf(CHAIN.map((step) => ({ ...step, message: 'other words' }))), 4],
    [
      'the name of a step',
      keysOf([{ name: 'populate', reads: 'img_params/packages' }, ...CHAIN.slice(1)]),
      4,
    ],
    ['the architecture', keysOf([{ ...CHAIN[0], name: 'pop', args: ['i386'] }, ...CHAIN.slice(1)]), 0],
  ])('changes with %s, from there on', (_, changed, same) => {
    expect(shared(keysOf(CHAIN), changed)).toBe(same);
  });

  it('takes the whole manifest where a step declares nothing, and the name of the step, which it sees', () => {
    const steps = [{ name: 'all', reads: null }, { name: 'end' }];
    expect(shared(keysOf(steps), keysOf(steps, { hostname: 'other' }))).toBe(1);
    expect(shared(keysOf(steps), keysOf([{ name: 'every', reads: null }, { name: 'end' }]))).toBe(1);
  });

  it('takes in what a fingerprint wrote and which versions a tool has, and knows nothing behind a fingerprint that is not known', () => {
    const steps: readonly Step[] = [
      { name: 'a', fingerprint: 'date' },
      { name: 'b', tools: 'xorriso' },
      { name: 'c' },
    ];
    const base = { fingerprints: new Map([['a', 'x']]), toolVersions: new Map([['xorriso', ['1.5.4']]]) };
    const one = keysOf(steps, {}, base);
    expect(shared(one, keysOf(steps, {}, { ...base, fingerprints: new Map([['a', 'y']]) }))).toBe(1);
    expect(shared(one, keysOf(steps, {}, { ...base, toolVersions: new Map([['xorriso', ['1.5.6']]]) }))).toBe(
      2,
    );
    expect(keysOf(steps).boundaries.map((key) => key === null)).toEqual([false, true, true]);
    expect(keysOf(steps).ends).toEqual([null]);
  });

  it('knows nothing of a step that sees files nobody has looked at', () => {
    const steps = [{ name: 'all', reads: null }, { name: 'end' }];
    expect(keysOf(steps, {}, { filesDigest: null }).boundaries[1]).toBeNull();
    expect(keysOf(CHAIN, {}, { filesDigest: null }).boundaries[3]).not.toBeNull();
  });

  it('gives lanes that do the same the same keys, and what joins them the keys of both', () => {
    const lanes = (x: string): readonly Step[] => [
      { name: 'pop', reads: 'img_params/packages' },
      { name: `arch-${x}`, lane: x, output: 'pkg_image/a' },
      { name: 'join' },
    ];
    const [one, two] = [keysOf(lanes('x')), keysOf(lanes('y'))];
    expect(two).toEqual(one);
    const scripts = { 'arch-x': 'changed' };
    const changed = keysOf(lanes('x'), {}, {}, scripts);
    // pop, .end_pop, arch-x | .end_arch-x, join
    expect(shared(one, changed)).toBe(3);
    expect(changed.boundaries.at(-1)).not.toBe(one.boundaries.at(-1));
  });
});

/** What a step could do at most: write down all that it can see. */
function pretendToRun(step: PlannedStep, manifest: Manifest, before: string): string {
  const seen = ['name', 'img_params/hostname', 'img_params/packages/pkg/name', 'key_value_pairs/pair/value']
    .filter((path) => step.reads === null || readsCover(step.reads, path))
    .map((path) => queryManifest(manifest.root, path));
  const variables = [
    ...(seesVariable(step, 'DC_DISTRIBUTION') ? [manifest.name] : []),
    ...(seesVariable(step, 'DC_STEP') ? [step.name] : []),
    ...(seesVariable(step, 'DC_LANE') ? [step.lane] : []),
  ];
  return digest([before, step.scriptDigest, step.args, seen, variables]);
}

/** The state behind each step, by its name, as a build from scratch makes it. */
function pretendToBuild(plan: Plan, manifest: Manifest): ReadonlyMap<number, string> {
  const states = new Map<number, string>();
  const ends: string[] = [];
  for (const job of plan.jobs) {
    let state = job.base.kind === 'empty' ? 'empty' : digest(['from', ends[job.base.boundary.job]]);
    for (const { path, lane } of job.imports) state = digest([state, path, ends[lastOf(plan, job, lane)]]);
    for (const step of job.steps) {
      state = pretendToRun(step, manifest, state);
      states.set(step.index, state);
    }
    ends.push(state);
  }
  return states;
}

function lastOf(plan: Plan, job: Job, lane: string): number {
  return plan.jobs.findLastIndex((other) => other.index < job.index && other.lane === lane);
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

/** Key behind each step, by its index. */
function keysBehind(plan: Plan, keys: PlanKeys): ReadonlyMap<number, string | null> {
  const behind = new Map<number, string | null>();
  for (const { after, index } of plan.boundaries)
    if (after !== null) behind.set(after.index, keys.boundaries[index] ?? null);
  for (const job of plan.jobs) {
    const last = job.steps.at(-1);
    if (last !== undefined) behind.set(last.index, keys.ends[job.index] ?? null);
  }
  return behind;
}

const READS: readonly (string | null)[] = [
  '',
  'name',
  'img_params/hostname',
  'img_params/packages',
  'key_value_pairs name',
  null,
];
const arbitraryStep = fc.record({
  lane: fc.constantFrom('main', 'main', 'x', 'y'),
  reads: fc.constantFrom(...READS),
  args: fc.subarray(['i386', 'fast']),
  script: fc.constantFrom('one', 'two'),
});
const arbitraryImage = fc.record({
  name: fc.constantFrom('A', 'B'),
  hostname: fc.constantFrom('a', 'b'),
  packages: fc.subarray(['vim', 'nano', 'mc'], { minLength: 1 }),
});
const arbitraryBuild = fc.record({
  steps: fc.array(arbitraryStep, { minLength: 1, maxLength: 7 }),
  image: arbitraryImage,
  variants: fc.array(
    fc.constantFrom('<farm:set path="img_params/hostname" value="v"/>', '<farm:package add="mc"/>'),
    {
      maxLength: 2,
    },
  ),
});
type ArbitraryBuild = typeof arbitraryBuild extends fc.Arbitrary<infer T> ? T : never;

/** Of the manifest's variant, or of itself where it has none. */
function planned({ steps, image, variants }: ArbitraryBuild): {
  readonly plan: Plan;
  readonly manifest: Manifest;
} {
  const named = steps.map((step, index) => ({
    ...step,
    name: `s${index}`,
    ...(step.lane === 'main' ? {} : { output: `pkg_image/${step.lane}` }),
  }));
  const rest =
    variants.length === 0
      ? ''
      : `<farm:variants><farm:variant name="v">${variants.join('')}</farm:variant></farm:variants>`;
  const whole = manifestOf(named, { ...image, rest });
  const [variant] = whole.variants;
  const manifest = variant === undefined ? whole : applyVariant(whole, variant);
  const scripts = Object.fromEntries(named.map(({ name, script }) => [name, script]));
  return { plan: planOf(manifest, scripts), manifest };
}

describe('planKeys and random builds', () => {
  it('never gives one key to states that builds from scratch make different', () => {
    const edits = fc.record({
      step: fc.nat(),
      change: fc.constantFrom('script', 'args', 'reads', 'remove', 'image', 'variants', 'none'),
      image: arbitraryImage,
    });
    fc.assert(
      fc.property(arbitraryBuild, edits, (build, edit) => {
        const states = new Map<string, string>();
        for (const each of [build, edited(build, edit)]) {
          const { plan, manifest } = planned(each);
          const keys = keysBehind(plan, planKeys(plan, manifest, WORLD));
          for (const [index, state] of pretendToBuild(plan, manifest)) {
            const key = keys.get(index);
            if (key === null || key === undefined) throw new Error(`step ${index} has no key`);
            expect(states.get(key) ?? state).toBe(state);
            states.set(key, state);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

function edited(
  build: ArbitraryBuild,
  {
    step,
    change,
    image,
  }: { readonly step: number; readonly change: string; readonly image: ArbitraryBuild['image'] },
): ArbitraryBuild {
  const at = step % build.steps.length;
  const withStep = (changed: Partial<ArbitraryBuild['steps'][number]>): ArbitraryBuild => ({
    ...build,
    steps: build.steps.map((each, index) => (index === at ? { ...each, ...changed } : each)),
  });
  switch (change) {
    case 'script':
      return withStep({ script: build.steps[at]?.script === 'one' ? 'two' : 'one' });
    case 'args':
      return withStep({ args: ['fast'] });
    case 'reads':
      return withStep({ reads: 'img_params' });
    case 'remove':
      return build.steps.length === 1
        ? build
        : { ...build, steps: build.steps.filter((_, index) => index !== at) };
    case 'image':
      return { ...build, image };
    case 'variants':
      return { ...build, variants: ['<farm:package add="mc"/>'] };
    default:
      return build;
  }
}
