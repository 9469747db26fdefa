// Needs root, Linux namespaces, the built dist/, and ZFS with a pool named in DC_TEST_POOL (scripts/with-zfs.sh).
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { execa } from 'execa';
import fc from 'fast-check';
import { appendFile, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IS_DEEP } from '../support/depth.js';
import { ReuseBuild, type KeyedManifest, type KeyedStep } from '../support/reuse-build.js';
import type { StoreKind } from '../support/test-build.js';

jest.setTimeout(600_000);

const POP: KeyedStep = { name: 'pop', reads: ['img_params/packages'], media: ['packages'] };
const MOD: KeyedStep = { name: 'mod', reads: ['img_params/hostname'] };
const ISO: KeyedStep = { name: 'iso', reads: [], args: ['a'], media: ['x.iso'] };
const CHAIN = [POP, MOD, ISO];
const ALL = ['pop', 'mod', 'iso'];

let farm: ReuseBuild;
afterEach(async () => farm.remove());

/** A build with reuse that succeeds as `plan` said before, and makes the bits of one from nothing. Resolves to the steps that ran. */
async function reuse(variant?: string): Promise<readonly string[]> {
  const options = variant === undefined ? [] : ['--variant', variant];
  const [planned] = await farm.plan(...(variant === undefined ? [] : [variant]));
  const { status, stderr, ran } = await farm.run('--reuse', ...options);
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  expect(ran).toEqual(planned!.filter(({ fate }) => fate === 'runs').map(({ name }) => name));
  expect(await farm.bits()).toMatchObject(await farm.bitsFromScratch(...options));
  return ran;
}

/** Why `plan` says that steps run, by step. */
async function whyRuns(): Promise<Readonly<Record<string, string>>> {
  const [steps] = await farm.plan();
  return Object.fromEntries(
    steps!.filter(({ fate }) => fate === 'runs').map(({ name, why }) => [name, why] as const),
  );
}

describe.each<StoreKind>(['zfs', 'folder'])(
  'distro_const build --reuse on a build area of kind %s',
  (kind) => {
    beforeEach(async () => {
      farm = await ReuseBuild.create(kind);
      await farm.write({ steps: CHAIN });
    });

    it('runs everything once, and nothing where nothing has changed', async () => {
      expect(await reuse()).toEqual(ALL);
      const written = await stat(join(farm.mediaPath, 'x.iso'));
      expect(await reuse()).toEqual([]);
      expect((await stat(join(farm.mediaPath, 'x.iso'))).mtimeMs).toBe(written.mtimeMs);
    });

    it.each<[string, KeyedManifest, readonly string[], RegExp]>([
      [
        'an argument of the last step',
        { steps: [POP, MOD, { ...ISO, args: ['b'] }] },
        ['iso'],
        /^since 2\S+, its arguments changed from "a" to "b"$/,
      ],
      [
        'what a step in the middle reads',
        { steps: CHAIN, hostname: 'other' },
        ['mod', 'iso'],
        /img_params\/hostname changed from host to other$/,
      ],
      [
        'what the first step reads',
        { steps: CHAIN, packages: ['base', 'vim'] },
        ALL,
        /img_params\/packages gained vim$/,
      ],
      [
        'a script',
        { steps: [POP, { ...MOD, comment: 'mended' }, ISO] },
        ['mod', 'iso'],
        /its script changed$/,
      ],
    ])('begins where %s matters', async (_, changed, expected, why) => {
      await reuse();
      await farm.write(changed);
      const reasons = await whyRuns();
      expect(Object.keys(reasons)).toEqual(expected);
      expect(reasons[expected[0]!]).toMatch(why);
      expect(expected.slice(1).map((name) => reasons[name])).toEqual(expected.slice(1).map(() => ''));
      expect(await reuse()).toEqual(expected);
      expect(await reuse()).toEqual([]);
    });

    it('runs a lane that changed, and what it joins', async () => {
      const steps = (arg: string): readonly KeyedStep[] => [
        POP,
        { name: 'doc', lane: 'doc', reads: [], args: [arg], isOutput: true },
        { name: 'usb', lane: 'usb', reads: ['img_params/hostname'], media: ['x.usb'] },
        ISO,
      ];
      await farm.write({ steps: steps('a') });
      expect(await reuse()).toEqual(['pop', 'doc', 'usb', 'iso']);
      expect(await reuse()).toEqual([]);
      await farm.write({ steps: steps('b') });
      expect(await reuse()).toEqual(['doc', 'iso']);
      await farm.write({ steps: steps('b'), hostname: 'other' });
      // It could have looked at the media of all lanes.
      expect(await reuse()).toEqual(['usb', 'iso']);
    });

    it('finds a workspace that was worked in by hand, and brings it back', async () => {
      await reuse();
      await appendFile(join(farm.build.areaPath, 'build_data/pkg_image/work'), 'by hand');
      expect(await reuse()).toEqual([]);
    });

    it('does not believe a key that only the checkpoint has', async () => {
      await farm.write({ steps: [POP, MOD, { ...ISO, args: ['b'] }] });
      await reuse();
      const stolen = await keyOf('.step_iso');
      await farm.write({ steps: CHAIN, hostname: 'other' });
      await farm.run('--reuse');
      // Now .step_iso is that of another host's name. It says that it is the one it was.
      await setKey('.step_iso', stolen);
      await farm.write({ steps: CHAIN });
      expect(await reuse()).toEqual(['mod', 'iso']);
    });

    it('goes on after a failure, and after a pause', async () => {
      await farm.write({ steps: [POP, { ...MOD, also: 'exit 3' }, ISO] });
      const failed = await farm.run('--reuse');
      expect(failed).toMatchObject({ status: 1, ran: ['pop', 'mod'] });
      expect(failed.stderr).toMatch(/go on with: distro_const build --reuse /);
      await farm.write({ steps: CHAIN });
      expect(await farm.run('--reuse', '-p', 'iso')).toMatchObject({ status: 0, ran: ['mod'] });
      expect(await reuse()).toEqual(['iso']);
      // A pause in front of what is at hand goes back to there.
      expect(await farm.run('--reuse', '-p', 'mod')).toMatchObject({ status: 0, ran: [] });
      expect(await reuse()).toEqual(['mod', 'iso']);
    });

    it('lets a person who resumes have the last word', async () => {
      await reuse();
      expect(await farm.run('--reuse', '-r', 'mod')).toMatchObject({ status: 0, ran: ['mod', 'iso'] });
      expect(await reuse()).toEqual([]);
      // What was resumed on another state than the plan's has no key.
      await farm.write({ steps: CHAIN, packages: ['vim'] });
      expect(await farm.run('--reuse', '-r', 'mod')).toMatchObject({ status: 0, ran: ['mod', 'iso'] });
      expect(await reuse()).toEqual(ALL);
    });

    it('reuses nothing of a build without it', async () => {
      expect(await farm.run()).toMatchObject({ status: 0, ran: ALL });
      expect(await reuse()).toEqual(ALL);
    });

    // What follows asks no more of the store than that.
    if (kind === 'zfs' && !IS_DEEP) return;

    it('takes messages and white space for nothing', async () => {
      await reuse();
      await farm.write({ steps: CHAIN.map((step) => ({ ...step, message: `Now ${step.name}` })) });
      expect(await reuse()).toEqual([]);
    });

    it('shares what variants have in common', async () => {
      const variants = {
        de: '<farm:set path="img_params/hostname" value="de"/>',
        fr: '<farm:set path="img_params/hostname" value="fr"/>',
      };
      await farm.write({ steps: CHAIN, variants });
      expect(await farm.plan('de', 'fr')).toMatchObject([
        [{ fate: 'runs' }, { fate: 'runs' }, { fate: 'runs' }],
        [{ fate: 'shared', of: 'de' }, { fate: 'runs' }, { fate: 'runs' }],
      ]);
      expect(await reuse('de')).toEqual(ALL);
      expect(await reuse('fr')).toEqual(['mod', 'iso']);
      expect(await reuse('fr')).toEqual([]);
      expect(await reuse('de')).toEqual(['mod', 'iso']);
    });

    it.each<[string, () => Promise<unknown>, readonly string[], RegExp]>([
      [
        'a medium was deleted',
        async () => rm(join(farm.mediaPath, 'x.iso')),
        ['iso'],
        /^media\/x\.iso was altered or removed/,
      ],
      [
        'a medium was altered',
        async () => appendFile(join(farm.mediaPath, 'x.iso'), '!'),
        ['iso'],
        /^media\/x\.iso was altered/,
      ],
      [
        'a file of the first step was altered',
        async () => appendFile(join(farm.mediaPath, 'packages'), '!'),
        ALL,
        /^media\/packages was altered/,
      ],
      ['the record is gone', async () => rm(farm.recordPath), ALL, /^it has not run here yet$/],
      [
        'the record is damaged',
        async () => writeFile(farm.recordPath, '{"format":1'),
        ALL,
        /^it has not run here yet$/,
      ],
    ])('never takes for whole what is not: %s', async (_, harm, expected, why) => {
      await reuse();
      await harm();
      const reasons = await whyRuns();
      expect(reasons[expected[0]!]).toMatch(why);
      expect(await reuse()).toEqual(expected);
      expect(await reuse()).toEqual([]);
    });

    it('leaves other files in media alone', async () => {
      await reuse();
      await mkdir(join(farm.mediaPath, 'mine'));
      await writeFile(join(farm.mediaPath, 'mine/notes'), 'x');
      expect(await reuse()).toEqual([]);
      expect(await readFile(join(farm.mediaPath, 'mine/notes'), 'utf8')).toBe('x');
    });

    it('gives no key to what a person made of a lane that is another one by now', async () => {
      const steps = (arg: string): readonly KeyedStep[] => [
        POP,
        { name: 'doc', lane: 'doc', reads: [], args: [arg], isOutput: true },
        { name: 'usb', lane: 'usb', reads: [] },
        ISO,
      ];
      await farm.write({ steps: steps('a') });
      await reuse();
      await farm.write({ steps: steps('b') });
      expect(await farm.run('--reuse', '-r', 'usb')).toMatchObject({ status: 0, ran: ['usb', 'iso'] });
      expect(await reuse()).toEqual(['doc', 'usb', 'iso']);
    });

    it('refuses without checkpoints, in words', async () => {
      await farm.write({ steps: CHAIN, checkpoints: false });
      const refused = await farm.run('--reuse');
      expect(refused).toMatchObject({ status: 1, ran: [] });
      expect(refused.stderr).toMatch(/checkpoint_enable is false in .*\nRerun the build without --reuse\./);
      expect((await farm.planText()).stderr).toMatch(/checkpoint_enable is false/);
    });

    it('keeps no password, and tells that one changed', async () => {
      await farm.write({
        steps: [{ ...POP, reads: ['img_params/rootpass'] }, MOD, ISO],
        password: 'hush-hush',
      });
      await reuse();
      expect(await readFile(farm.recordPath, 'utf8')).not.toContain('hush-hush');
      await farm.write({ steps: [{ ...POP, reads: ['img_params/rootpass'] }, MOD, ISO], password: 'other' });
      expect((await whyRuns())['pop']).toMatch(/^since 2\S+, a password that it reads changed$/);
      expect(await reuse()).toEqual(ALL);
    });

    it('asks for fingerprints before anything runs, and again behind the step', async () => {
      const state = join(farm.build.folder, '..', `${farm.build.folder.split('/').at(-1)!}.repository`);
      const steps = (also: string): readonly KeyedStep[] => [
        { ...POP, fingerprint: `cat ${state}`, also },
        MOD,
        ISO,
      ];
      try {
        await farm.write({ steps: steps('') });
        const refused = await farm.run('--reuse');
        expect(refused).toMatchObject({ status: 1, ran: [] });
        expect(refused.stderr).toMatch(/step "pop": its fingerprint command cat .* ended with exit status 1/);
        expect((await farm.planText()).status).toBe(1);
        await writeFile(state, '1');
        expect(await reuse()).toEqual(ALL);
        expect(await reuse()).toEqual([]);
        await writeFile(state, '2');
        expect((await whyRuns())['pop']).toMatch(/its fingerprint changed$/);
        expect(await reuse()).toEqual(ALL);
        // It moves while the step runs.
        await farm.write({ steps: steps(`echo >> ${state}`) });
        const moved = await farm.run('--reuse');
        expect(moved.stderr).toMatch(/Warning: the fingerprint of pop changed while it ran/);
        expect((await farm.run('--reuse')).ran).toEqual(ALL);
      } finally {
        await rm(state, { force: true });
      }
    });

    it('plans without making anything', async () => {
      const { status, stdout } = await farm.planText();
      expect(status).toBe(0);
      expect(stdout).toMatch(/^Keyed\n {2}pop +pop {2}it has not run here yet\n/);
      expect(await readFile(farm.recordPath).catch(() => null)).toBeNull();
      await reuse();
      const before = await readFile(farm.recordPath, 'utf8');
      const again = await farm.planText();
      expect(again.stdout).toMatch(/ pop +pop {2}as in checkpoint \.step_mod\n[^]*\n0 of 3 steps run\n$/);
      expect(await readFile(farm.recordPath, 'utf8')).toBe(before);
    });

    async function keyOf(label: string): Promise<string> {
      const facts = await factsOf(label);
      return facts['key'] ?? '';
    }

    async function setKey(label: string, key: string): Promise<void> {
      const facts = { ...(await factsOf(label)), key };
      if (kind === 'zfs') {
        const value = `org.distrofarm:facts.0==${JSON.stringify(facts)}`;
        await execa('zfs', ['set', value, `${farm.build.area}/build_data@${label}`]);
        return;
      }
      const path = recordOf(label);
      const record = JSON.parse(await readFile(path, 'utf8')) as object;
      await writeFile(path, JSON.stringify({ ...record, facts }));
    }

    async function factsOf(label: string): Promise<Readonly<Record<string, string>>> {
      if (kind === 'folder')
        return (JSON.parse(await readFile(recordOf(label), 'utf8')) as { facts: Record<string, string> })
          .facts;
      const snapshot = `${farm.build.area}/build_data@${label}`;
      const { stdout } = await execa('zfs', [
        'get',
        '-Hp',
        '-o',
        'value',
        'org.distrofarm:facts.0',
        snapshot,
      ]);
      return JSON.parse(stdout.slice(1)) as Record<string, string>;
    }

    function recordOf(label: string): string {
      return join(farm.build.areaPath, '.checkpoints/build_data', label, 'record.json');
    }
  },
);

describe('distro_const build --reuse on folders', () => {
  it('does not go to a checkpoint whose files somebody wrote to', async () => {
    farm = await ReuseBuild.create('folder');
    await farm.write({ steps: CHAIN });
    await reuse();
    const tree = join(farm.build.areaPath, '.checkpoints/build_data/.end_iso/tree');
    await appendFile(join(tree, 'pkg_image/work'), 'altered');
    expect((await whyRuns())['iso']).toMatch(/^the checkpoint \.end_iso was altered since it was taken$/);
    expect(await reuse()).toEqual(['iso']);
  });
});

/** One thing that somebody does between two builds. */
type Edit =
  | { readonly kind: 'hostname' | 'package' | 'password'; readonly to: number }
  | {
      readonly kind: 'argument' | 'script' | 'message' | 'reads' | 'rename';
      readonly step: number;
      readonly to: number;
    }
  | { readonly kind: 'medium'; readonly step: number; readonly isDeleted: boolean }
  | { readonly kind: 'fails' | 'pauses' | 'from-nothing' | 'resumes'; readonly step: number };

interface Family {
  /** By step: the lane, and whether it declares its reads. */
  readonly steps: readonly {
    readonly lane: 'main' | 'side';
    readonly isDeclared: boolean;
    readonly hasMedium: boolean;
  }[];
  readonly edits: readonly Edit[];
  readonly variants: readonly ('' | 'de')[];
}

const step = fc.nat({ max: 4 });
const to = fc.nat({ max: 2 });
const families = fc.record<Family>({
  steps: fc.array(
    fc.record({
      lane: fc.constantFrom('main' as const, 'main' as const, 'side' as const),
      isDeclared: fc.constantFrom(true, true, true, false),
      hasMedium: fc.boolean(),
    }),
    { minLength: 3, maxLength: 5 },
  ),
  edits: fc.array(
    fc.oneof(
      fc.record({ kind: fc.constantFrom('hostname' as const, 'package' as const, 'password' as const), to }),
      fc.record({
        kind: fc.constantFrom(
          'argument' as const,
          'script' as const,
          'message' as const,
          'reads' as const,
          'rename' as const,
        ),
        step,
        to,
      }),
      fc.record({ kind: fc.constant('medium' as const), step, isDeleted: fc.boolean() }),
      fc.record({
        kind: fc.constantFrom(
          'fails' as const,
          'pauses' as const,
          'from-nothing' as const,
          'resumes' as const,
        ),
        step,
      }),
    ),
    { minLength: 1, maxLength: 6 },
  ),
  variants: fc.array(fc.constantFrom('' as const, '' as const, 'de' as const), {
    minLength: 7,
    maxLength: 7,
  }),
});

const READS = [['img_params/packages'], ['img_params/hostname'], []];

class EditedManifest {
  #hostname = 0;
  #packages = 0;
  #password = 0;
  readonly #steps: (KeyedStep & { readonly lane: string })[];

  constructor({ steps }: Family) {
    this.#steps = steps.map(({ lane, isDeclared, hasMedium }, index) => ({
      name: `s${index}`,
      lane,
      reads: isDeclared ? READS[index % 3]! : null,
      media: hasMedium ? [`m${index}`] : [],
      isOutput: lane === 'side' && index % 2 === 0,
    }));
  }

  change(edit: Edit): void {
    if (edit.kind === 'hostname') this.#hostname = edit.to;
    if (edit.kind === 'package') this.#packages = edit.to;
    if (edit.kind === 'password') this.#password = edit.to;
    if (!('step' in edit) || !('to' in edit)) return;
    const at = edit.step % this.#steps.length;
    const old = this.#steps[at]!;
    const changes: Partial<KeyedStep> = {
      argument: { args: [String(edit.to)] },
      script: { comment: String(edit.to) },
      message: { message: String(edit.to) },
      reads: { reads: READS[edit.to]! },
      rename: { name: this.#freeName(at, edit.to) },
    }[edit.kind];
    this.#steps[at] = { ...old, ...changes };
  }

  /** Often one that another step had before. */
  #freeName(at: number, to: number): string {
    const name = `n${String(to)}`;
    return this.#steps.some((each, index) => index !== at && each.name === name) ? `s${String(at)}` : name;
  }

  mediumOf(index: number): string | null {
    return this.#steps[index % this.#steps.length]?.media?.[0] ?? null;
  }

  nameOf(index: number): string {
    return this.#steps[index % this.#steps.length]?.name ?? '';
  }

  get manifest(): KeyedManifest {
    return {
      steps: this.#steps,
      hostname: `h${this.#hostname}`,
      packages: ['base', ...['vim', 'mc'].slice(0, this.#packages)],
      password: `p${this.#password}`,
      variants: { de: '<farm:set path="img_params/hostname" value="de"/>' },
    };
  }
}

describe.each<[StoreKind, number]>([
  ['zfs', 1],
  ['folder', 2],
])('distro_const build --reuse on %s, through any edits', (kind, numRuns) => {
  it('makes the bits of a build from nothing, and runs what plan said', async () => {
    await fc.assert(
      fc.asyncProperty(families, async (family) => {
        farm = await ReuseBuild.create(kind);
        try {
          const edited = new EditedManifest(family);
          await farm.write(edited.manifest);
          await reuse();
          for (const [at, edit] of family.edits.entries()) {
            edited.change(edit);
            await farm.write(edited.manifest);
            await befall(edit, edited);
            const variant = family.variants[at] ?? '';
            await reuse(variant === '' ? undefined : variant);
          }
          await farm.write(edited.manifest);
          await reuse();
          expect(await reuse()).toEqual([]);
        } finally {
          await farm.remove();
        }
      }),
      { numRuns },
    );
    farm = await ReuseBuild.create(kind);
  });

  /** What is no edit of the manifest. */
  async function befall(edit: Edit, edited: EditedManifest): Promise<void> {
    if (edit.kind === 'medium') {
      const path = edited.mediumOf(edit.step);
      if (path === null) return;
      if (edit.isDeleted) await rm(join(farm.mediaPath, path), { force: true });
      else await appendFile(join(farm.mediaPath, path), 'altered');
    }
    if (!('step' in edit)) return;
    const name = edited.nameOf(edit.step);
    if (edit.kind === 'pauses') await farm.run('--reuse', '-p', name);
    if (edit.kind === 'from-nothing') await farm.run();
    if (edit.kind === 'resumes') await farm.run('--reuse', '-r', name);
    if (edit.kind === 'fails') {
      const { steps } = edited.manifest;
      await farm.write({
        ...edited.manifest,
        steps: steps.map((each) =>
          each.name === name ? { ...each, also: 'echo half > "$5/half"; exit 3' } : each,
        ),
      });
      await farm.run('--reuse');
      await farm.write(edited.manifest);
    }
  }
});
