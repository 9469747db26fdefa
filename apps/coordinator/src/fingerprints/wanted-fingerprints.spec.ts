import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SubmitBuild } from '#libs/contracts';
import type { Flag } from '#libs/store';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyWorldOf } from '../builds/key-world.js';
import { planSubmission } from '../builds/plan-submission.js';
import { wantedFingerprints, type WantedFingerprint } from './wanted-fingerprints.js';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'wanted-fingerprints-'));
});
afterAll(async () => rm(scratch, { recursive: true }));

interface Change {
  readonly fingerprint?: string;
  readonly reads?: string;
  readonly program?: string;
  readonly lib?: string;
  readonly tools?: string;
  readonly variants?: string;
  readonly trusted?: Flag;
  readonly epoch?: number;
}

async function wanted(change: Change = {}): Promise<readonly WantedFingerprint[]> {
  const { fingerprint = '<farm:fingerprint>./state all</farm:fingerprint>', reads = 'img_params/packages' } =
    change;
  const manifest = `<distribution name="T" xmlns:farm="urn:distrofarm:1">
<distro_constr_params><build_area>/a</build_area><output_image><finalizer>
<script name="pop"><checkpoint name="pop"/><farm:reads>${reads}</farm:reads>${fingerprint}<farm:requires tools="${change.tools ?? 'apt'}"/></script>
<script name="pop"><checkpoint name="mod"/></script>
</finalizer></output_image></distro_constr_params>
<img_params><packages><pkg name="p"/></packages><hostname>h</hostname>
<boot_archive_contents><base_include type="dir">boot</base_include></boot_archive_contents></img_params>${change.variants ?? ''}
</distribution>`;
  const files = {
    pop: '#!/bin/sh\n',
    state: change.program ?? '#!/bin/sh\n# farm:includes: lib\n',
    lib: change.lib ?? 'lib',
  };
  const submission = SubmitBuild.parse({
    manifest,
    manifestPath: 'm.xml',
    files: Object.entries(files).map(([path, text]) => ({
      path,
      executable: true,
      base64: Buffer.from(text).toString('base64'),
    })),
    sourceDateEpoch: 1,
  });
  const planned = await planSubmission(submission, scratch, new Date(0));
  const world = keyWorldOf(planned, change.epoch ?? 1, []);
  return wantedFingerprints(planned, world, { onAgent: null, trusted: change.trusted ?? 1 });
}

const digests = (all: readonly WantedFingerprint[]): readonly string[] => all.map(({ digest }) => digest);

const VARIANTS = `<farm:variants><farm:variant name="a"/>
<farm:variant name="b"><farm:set path="img_params/hostname" value="other"/></farm:variant>
<farm:variant name="c"><farm:package add="q"/></farm:variant></farm:variants>`;

describe('wantedFingerprints', () => {
  it('are those of steps that declare one, with what an agent has to know', async () => {
    const [only, ...others] = await wanted();
    expect(others).toEqual([]);
    expect(only).toMatchObject({
      index: 0,
      step: 'pop',
      request: {
        manifestPath: 'm.xml',
        variant: 'default',
        step: 'pop',
        sourceDateEpoch: 1,
        requires: { architecture: 'amd64', labels: [], tools: ['apt'], freeBytes: 0 },
        onAgent: null,
      },
    });
    expect(await wanted({ fingerprint: '' })).toEqual([]);
  });

  it('are one for variants that differ in nothing that the step reads', async () => {
    const [a, b, c] = digests(await wanted({ variants: VARIANTS }));
    expect(a).toBe(b);
    expect(c).not.toBe(a);
  });

  it.each<[string, Change]>([
    ['the program', { program: '#!/bin/sh\n# farm:includes: lib\n:' }],
    ['what its header includes', { lib: 'other' }],
    ['its arguments', { fingerprint: '<farm:fingerprint>./state some</farm:fingerprint>' }],
    ['what the step reads', { reads: 'img_params' }],
    ['the tools that it needs', { tools: 'apt xorriso' }],
    ['the image time', { epoch: 2 }],
    ['whether its submitter is trusted', { trusted: 0 }],
  ])('are others with another %s', async (_, change) => {
    const before = digests(await wanted());
    expect(digests(await wanted())).toEqual(before);
    expect(digests(await wanted(change))).not.toEqual(before);
  });
});
