// Needs root, redis-server, qemu-system-x86, ovmf, a Debian mirror and the built dist/: npm run test:live. Takes a quarter of an hour.
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execa } from 'execa';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import type { PlanPreview } from '#libs/contracts';
import { hashFile } from '#libs/artifacts';
import { bootImage } from '#libs/boot';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(3_600_000);

const ROOT = resolve(import.meta.dirname, '../..');
const MANIFEST = 'examples/debian-family.xml';
const MATRIX = ['en', 'de', 'fr', 'es'].flatMap((locale) =>
  ['base', 'rescue'].map((edition) => `locale-${locale}.edition-${edition}`),
);
const VARIANTS = [...MATRIX, 'serial', 'kiosk'];
/** Steps of all variants, and how many of them are different: the base once, each edition's and language's layer once, and the rest in each. */
const STEPS = { all: 134, different: 102 };
/** One with a layer of its own, of an edition that has another one; and one that took everything up to im-mod from another variant. */
const FROM_SCRATCH = ['locale-de.edition-rescue', 'serial'];

type Fate = 'runs' | 'reused' | 'shared';

interface PlannedStep {
  readonly step: string;
  readonly variant: string;
  readonly fate: Fate;
  readonly of: string | null;
}

let folder: string;
let truth: string;
let farm: TestFarm;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'family-'));
  truth = join(folder, 'truth');
  await cp(join(ROOT, 'examples'), join(folder, 'examples'), { recursive: true });
  await cp(join(ROOT, 'finalizers'), join(folder, 'finalizers'), { recursive: true });
  await noteTruth(join(folder, 'finalizers/common/step.sh'));
  // Else a quick step may rather run again than be fetched; here each is to run once.
  farm = await TestFarm.start({ database: 'sqlite', agents: 0, transfersAreQuick: true });
  for (let agent = 0; agent < 2; agent += 1)
    await farm.addAgent({ DISTROFARM_AGENT_CACHE: '/var/cache/distrofarm' });
});
afterAll(async () => {
  await farm.stop();
  await rm(folder, { recursive: true });
});

/** Each step writes into a file of ours, which no store and no record of the farm knows, what it is and where it works. */
async function noteTruth(path: string): Promise<void> {
  const text = await readFile(path, 'utf8');
  const begin = '  mkdir -- "$SCRATCH"\n';
  if (text.split(begin).length !== 2) throw new Error(`${path} has no one place where a step begins`);
  const note = `  printf '%s\\t%s\\t%s\\n' "$(basename "$0")" "$PKG_IMAGE" "\${STEP_ARGS[*]}" >>'${truth}'\n`;
  await writeFile(path, text.replace(begin, begin + note));
}

/** `<step> <variant>` for each step that began, as the steps themselves say. */
async function began(): Promise<readonly string[]> {
  const lines = (await readFile(truth, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [script = '', image = '', args = ''] = line.split('\t');
    // An agent keeps each variant of a build in an area of this name.
    const variant = /\/b-[^./]+\.([^/]+)\//.exec(image)?.[1] ?? image;
    return `${stepOf(script, args)} ${variant}`;
  });
}

function stepOf(script: string, args: string): string {
  if (script !== 'im-layer') return script;
  return args.startsWith('hunspell-') ? 'layer-language' : 'layer-edition';
}

async function run(program: string, args: readonly string[]): Promise<string> {
  const access = { DISTROFARM_URL: farm.url, DISTROFARM_TOKEN: farm.adminToken };
  const result = await execa(join(ROOT, 'bin', program), [...args], {
    cwd: folder,
    reject: false,
    all: true,
    env: { SOURCE_DATE_EPOCH: '1700000000', ...access },
  });
  expect([result.exitCode, result.exitCode === 0 ? '' : result.all]).toEqual([0, '']);
  return result.stdout;
}

const FAMILY = [...VARIANTS.flatMap((name) => ['--variant', name]), '--reuse', MANIFEST];

async function plan(): Promise<readonly PlannedStep[]> {
  const { variants } = JSON.parse(await run('distrofarm', ['plan', '--json', ...FAMILY])) as PlanPreview;
  return variants.flatMap(({ name: variant, jobs }) =>
    jobs.flatMap(({ steps }) => steps.map(({ name: step, fate, of }) => ({ step, variant, fate, of }))),
  );
}

/** Of equal steps, who may run them: the variants that plan names for one and the same. */
function groupsOf(planned: readonly PlannedStep[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const { step, variant, fate, of } of planned) {
    const runner = `${step} ${fate === 'shared' ? (of ?? '') : variant}`;
    groups.set(runner, [...(groups.get(runner) ?? []), `${step} ${variant}`]);
  }
  return groups;
}

/** Names and digests of a folder's media. */
async function media(path: string): Promise<readonly (readonly [name: string, sha256: string])[]> {
  const names = (await readdir(path)).filter((name) => /\.(iso|usb)$/.test(name)).toSorted();
  return await Promise.all(
    names.map(async (name) => [name, (await hashFile(join(path, name))).sha256] as const),
  );
}

describe('debian-family on two agents', () => {
  let planned: readonly PlannedStep[];

  it('is planned with what its variants share', async () => {
    planned = await plan();
    expect(planned).toHaveLength(STEPS.all);
    expect(planned.filter(({ fate }) => fate === 'runs')).toHaveLength(STEPS.different);
    expect(planned.filter(({ fate }) => fate === 'reused')).toEqual([]);
    const shared = planned.filter(({ fate }) => fate === 'shared').map(({ step }) => step);
    expect([...new Set(shared)].toSorted()).toEqual([
      ...['ba-init', 'im-locale', 'im-pop', 'layer-edition', 'layer-language'],
    ]);
  });

  it('runs each of them exactly once', async () => {
    await run('distrofarm', ['submit', '--watch', ...FAMILY]);
    const lines = await began();
    const counted = [...groupsOf(planned)].map(([runner, members]) => [
      runner,
      lines.filter((line) => members.includes(line)).length,
    ]);
    const warnings = farm.events.all.filter(({ type }) => type === 'warning').map(({ data }) => data['text']);
    // A repository that moves meanwhile makes a step another one.
    expect([counted.filter(([, count]) => count !== 1), warnings]).toEqual([[], []]);
    expect(lines).toHaveLength(STEPS.different);
    const agents = (await farm.build('latest')).jobs.map(({ attempts }) => attempts.at(-1)?.agentName);
    expect([...new Set(agents)].toSorted()).toEqual(['agent0', 'agent1']);
    await run('distrofarm', ['artifacts', 'download', 'latest', '-o', join(folder, 'family')]);
  });

  it('runs nothing when nothing has changed', async () => {
    expect((await plan()).filter(({ fate }) => fate !== 'reused')).toEqual([]);
    await run('distrofarm', ['submit', '--watch', ...FAMILY]);
    expect(await began()).toHaveLength(STEPS.different);
  });

  it.each(FROM_SCRATCH)('gives %s the bits that it has when one machine builds it alone', async (variant) => {
    const area = join(folder, 'alone', variant);
    await run('distro_const', ['build', '--build-area', area, '--variant', variant, MANIFEST]);
    const alone = await media(join(area, 'media'));
    expect(alone).toHaveLength(2);
    expect(await media(join(folder, 'family', variant))).toEqual(alone);
    await rm(area, { recursive: true });
  });

  it.each(VARIANTS)('boots as %s, from the ISO by BIOS and from the stick by UEFI', async (variant) => {
    const names = (await media(join(folder, 'family', variant))).map(([name]) => name);
    const [iso = '', usb = ''] = names.map((name) => join(folder, 'family', variant, name));
    const machine = { cpu: 'x86-64', bus: 'virtio', timeoutMs: 300_000 } as const;
    const [byBios, byUefi] = await Promise.all([
      bootImage({ ...machine, image: iso, medium: 'cdrom', firmware: 'bios' }),
      bootImage({ ...machine, image: usb, medium: 'usb', firmware: 'uefi' }),
    ]);
    const announced = { kind: 'announced', arch: 'x86_64', name: basename(iso, '.iso') };
    expect([byBios, byUefi]).toMatchObject([announced, announced]);
  });
});
