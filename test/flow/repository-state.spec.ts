// Needs root, and apt: finalizers/debian/repository-state on repositories of this machine's disk, as a fingerprint runs it.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parseManifest, type Manifest } from '#libs/manifest';
import { planBuild } from '#libs/plan';
import {
  answerFromManifest,
  ownVariables,
  readScript,
  runFingerprint,
  stepEnvironment,
  type FingerprintResult,
} from '#libs/steps';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
const EXAMPLE = join(ROOT, 'examples/debian-minimal.xml');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'repository-state-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A repository of one package, without signatures. */
async function repository(name: string, version: string, release: string | null): Promise<string> {
  const path = join(folder, name);
  await mkdir(path, { recursive: true });
  const packages = `Package: tool
Version: ${version}
Architecture: amd64
Maintainer: nobody
Filename: ./tool.deb
Size: 1
SHA256: ${'0'.repeat(64)}
Description: a tool

`;
  await writeFile(join(path, 'Packages'), packages);
  const sha256 = createHash('sha256').update(packages).digest('hex');
  const text = `Date: ${release ?? ''}\nSHA256:\n ${sha256} ${packages.length} Packages\n`;
  await rm(join(path, 'Release'), { force: true });
  if (release !== null) await writeFile(join(path, 'Release'), text);
  return `file://${path}`;
}

async function manifestWith(urls: readonly string[]): Promise<Manifest> {
  const authority = (url: string): string => `<main url="${url}" authname="[trusted=yes] ./" farm:type="deb"/>`;
  const [first = '', ...others] = urls.map(authority);
  const more = others
    .map((main) => `<pkg_repo_addl_authority>${main.replace(' farm:type="deb"', '')}</pkg_repo_addl_authority>`)
    .join('');
  const text = (await readFile(EXAMPLE, 'utf8')).replace(
    /<pkg_repo_default_authority>[^]*?<\/pkg_repo_default_authority>/,
    `<pkg_repo_default_authority>${first}</pkg_repo_default_authority>${more}`,
  );
  const parsed = parseManifest(text, { file: EXAMPLE, now: new Date() });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.manifest;
}

async function stateOf(...urls: readonly string[]): Promise<FingerprintResult> {
  const manifest = await manifestWith(urls);
  const scripts = await Promise.all(
    manifest.steps.map(async ({ script }) => await readScript(resolve(ROOT, 'examples', script))),
  );
  const plan = planBuild(
    manifest,
    '',
    scripts.map((each) => {
      if (!each.ok) throw new Error(each.reason);
      return each.script;
    }),
  );
  const [step] = plan.steps;
  const command = manifest.steps[0]?.fingerprint;
  if (step === undefined || command == null) throw new Error('im-pop with a fingerprint expected');
  return await runFingerprint({
    step,
    command,
    manifestFile: EXAMPLE,
    answer: answerFromManifest(manifest, step, () => undefined),
    environment: {
      ...stepEnvironment({ sourceDateEpoch: 1, binFolder: join(ROOT, 'bin'), cacheFolder: folder, caller: {} }),
      ...ownVariables(step, manifest),
    },
    signal: new AbortController().signal,
  });
}

const changed = 'Sat, 01 Jan 2022 00:00:00 UTC';
const before = 'Fri, 31 Dec 2021 00:00:00 UTC';

describe('repository-state', () => {
  it('is the same while the repositories are, and another when one of them is released anew', async () => {
    const one = await repository('one', '1', before);
    const other = await repository('other', '1', before);
    const first = await stateOf(one, other);
    expect(first).toMatchObject({ ok: true });
    expect(await stateOf(one, other)).toEqual(first);
    await repository('other', '1', changed);
    const second = await stateOf(one, other);
    expect(second).toMatchObject({ ok: true });
    expect(second).not.toEqual(first);
  });

  it('looks at the index of a repository without a Release file', async () => {
    const one = await repository('one', '1', before);
    const flat = await repository('flat', '1', null);
    const first = await stateOf(one, flat);
    expect(first).toMatchObject({ ok: true });
    await repository('flat', '2', null);
    const second = await stateOf(one, flat);
    expect(second).toMatchObject({ ok: true });
    expect(second).not.toEqual(first);
  });

  it('says what cannot be read', async () => {
    const one = await repository('one', '1', before);
    expect(await stateOf(one, `file://${folder}/nowhere`)).toMatchObject({
      ok: false,
      kind: 'exited',
      reason: expect.stringContaining('cannot read the package sources'),
    });
  });
});
