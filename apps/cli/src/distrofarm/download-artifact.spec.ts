import type { Artifact } from '#libs/contracts';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { downloadArtifact } from './download-artifact.js';
import { EXIT } from './exit-codes.js';
import { Session } from './session.js';
import { farmAnswering, ioOf } from './testing.js';

const BYTES = randomBytes(300_000);
const artifactOf = (part: Partial<Artifact> = {}): Artifact => ({
  build: 'b-0000000001' as Artifact['build'],
  variant: 'default',
  name: 'live.iso',
  bytes: BYTES.length,
  sha256: createHash('sha256').update(BYTES).digest('hex'),
  attempt: 't-0000000001' as Artifact['attempt'],
  publishedAt: 0,
  available: true,
  ...part,
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'distrofarm-download-'));
});
afterEach(() => rm(folder, { recursive: true }));

interface Served {
  readonly ranges: (string | undefined)[];
  readonly paths: string[];
}

/** Serves BYTES; the first answers are cut off after so many bytes. */
function serving(
  cuts: readonly number[] = [],
  knowsRanges = true,
): Served & { readonly answer: RequestListener } {
  const served: Served = { ranges: [], paths: [] };
  const answer: RequestListener = (request, response) => {
    const { range } = request.headers;
    const cut = cuts[served.ranges.length];
    served.ranges.push(range);
    served.paths.push(request.url ?? '');
    const from = knowsRanges && range !== undefined ? Number(/\d+/.exec(range)?.[0]) : 0;
    const rest = BYTES.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': rest.length });
    if (cut === undefined) response.end(rest);
    else response.write(rest.subarray(0, cut), () => setImmediate(() => response.destroy()));
  };
  return { ...served, answer };
}

async function fetched(answer: RequestListener, artifact = artifactOf(), byVariant = false): Promise<string> {
  await using test = await farmAnswering(answer);
  const io = ioOf({ cwd: folder });
  await downloadArtifact(new Session(io, '0'), test.farm, artifact, { folder: 'out', byVariant });
  return io.out();
}
const got = (name = 'live.iso') => readFile(join(folder, 'out', name));

describe('downloadArtifact', () => {
  it('goes on where the connection broke, as often as it takes', async () => {
    const { answer, ranges } = serving([100_000, 50_000]);
    expect(await fetched(answer)).toBe('out/live.iso  300.0 kB  sha256 ok\n');
    expect((await got()).equals(BYTES)).toBe(true);
    expect(ranges).toHaveLength(3);
    expect(await readdir(join(folder, 'out'))).toEqual(['live.iso']);
  });

  it('goes on where an earlier call was interrupted', async () => {
    const { answer, ranges } = serving();
    await mkdir(join(folder, 'out'));
    await writeFile(join(folder, 'out/live.iso.part'), BYTES.subarray(0, 200_000));
    await fetched(answer);
    expect((await got()).equals(BYTES)).toBe(true);
    expect(ranges).toEqual(['bytes=200000-']);
  });

  it.each([
    ['of another file', randomBytes(1000)],
    ['longer than the file', randomBytes(BYTES.length + 5)],
  ])('starts anew when what is left is %s', async (_what, left) => {
    await mkdir(join(folder, 'out'));
    await writeFile(join(folder, 'out/live.iso.part'), left);
    await fetched(serving().answer);
    expect((await got()).equals(BYTES)).toBe(true);
  });

  it('copes with a server that knows no ranges', async () => {
    const { answer } = serving([100_000], false);
    await fetched(answer);
    expect((await got()).equals(BYTES)).toBe(true);
  });

  it('fetches nothing that is there already, and replaces what is not the same', async () => {
    await mkdir(join(folder, 'out'));
    await writeFile(join(folder, 'out/live.iso'), 'older');
    const { answer, ranges } = serving();
    await fetched(answer);
    expect(await fetched(answer)).toContain('is there already');
    expect(ranges).toHaveLength(1);
  });

  it('never gives a wrong file its name', async () => {
    const wrong = artifactOf({ sha256: '0'.repeat(64) });
    await expect(fetched(serving().answer, wrong)).rejects.toMatchObject({ exit: EXIT.server });
    expect(await readdir(join(folder, 'out'))).toEqual([]);
  });

  it('refuses more bytes than were announced', async () => {
    const short = artifactOf({ bytes: 1000 });
    await expect(fetched(serving().answer, short)).rejects.toMatchObject({
      message: expect.stringContaining('more'),
    });
  });

  it('puts each variant in a folder of its own where there are several', async () => {
    const { answer, paths } = serving();
    expect(await fetched(answer, artifactOf({ name: 'a b/live#1.iso', variant: 'gnome' }), true)).toContain(
      'out/gnome/a b/live#1.iso',
    );
    expect((await got('gnome/a b/live#1.iso')).equals(BYTES)).toBe(true);
    expect(paths).toEqual(['/api/v1/builds/b-0000000001/artifacts/gnome/a%20b/live%231.iso']);
  });

  it.each(['../evil', '/etc/evil', 'a/../../evil', 'a//b', './x', 'a\u0000b', 'a\\b', ''])(
    'refuses the name %j',
    async (name) => {
      const { answer, paths } = serving();
      await expect(fetched(answer, artifactOf({ name }))).rejects.toMatchObject({ exit: EXIT.server });
      expect(paths).toEqual([]);
    },
  );

  it('does not follow a link out of the folder', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'distrofarm-elsewhere-'));
    try {
      await mkdir(join(folder, 'out'));
      await symlink(elsewhere, join(folder, 'out/link'));
      await expect(fetched(serving().answer, artifactOf({ name: 'link/x' }))).rejects.toMatchObject({
        exit: EXIT.server,
      });
      await symlink(join(elsewhere, 'target'), join(folder, 'out/live.iso.part'));
      await expect(fetched(serving().answer)).rejects.toMatchObject({ code: 'ELOOP' });
      expect(await readdir(elsewhere)).toEqual([]);
    } finally {
      await rm(elsewhere, { recursive: true });
    }
  });
});
