// Needs root and Linux namespaces.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId, type AskId, type FingerprintAnswer, type FingerprintAsk } from '#libs/contracts';
import { parseManifest } from '#libs/manifest';
import { planBuild } from '#libs/plan';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { smallManifest } from '../../../../libs/manifest/src/testing.js';
import { BlobCache } from '../blobs/blob-cache.js';
import { Bundles } from '../attempts/bundles.js';
import { FingerprintKeeper } from './fingerprint-keeper.js';

let folder: string;
let played: Played;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fingerprint-keeper-'));
  played = new Played();
});
afterEach(async () => {
  await played.end();
  await rm(folder, { recursive: true });
});

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A submission whose fingerprint is this program. */
function askOf(program: string, change: Partial<FingerprintAsk> = {}): FingerprintAsk {
  const fingerprint = '<farm:fingerprint>./state</farm:fingerprint>';
  const manifest = smallManifest({
    steps: `<script name="pop"><checkpoint name="pop"/>${fingerprint}</script>`,
  });
  const parsed = parseManifest(manifest, { file: 'm.xml', now: new Date() });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const source = { path: '/pop', digest: '', reads: null, environment: [] };
  const texts = { pop: '#!/bin/sh\n', state: `#!/bin/bash\n${program}\n` };
  const files = Object.entries(texts).map(([path, text]) => {
    played.files.set(sha256(text), text);
    return { path, executable: true, sha256: sha256(text), bytes: text.length };
  });
  return {
    ...{ ask: newId('f'), manifest, manifestPath: 'm.xml', files, variant: 'default', step: 'pop' },
    sourceDateEpoch: 1,
    planContentSha256: planBuild(parsed.manifest, manifest, [source]).digests.content,
    ...change,
  };
}

/** The coordinator, as the test plays it. */
class Played {
  readonly files = new Map<string, string>();
  asks: FingerprintAsk[] = [];
  readonly wanted: number[] = [];
  readonly answers = new Map<AskId, FingerprintAnswer>();
  readonly #stop = new AbortController();
  #keeper: FingerprintKeeper | null = null;
  #ended: Promise<void> = Promise.resolve();

  async begin(): Promise<void> {
    const bundles = new Bundles(join(folder, 'bundles'));
    await bundles.clear();
    const blobs = new BlobCache(join(folder, 'blobs'), 1e9);
    await blobs.prepare();
    this.#keeper = new FingerprintKeeper({
      ...{ bundles, log: pino({ level: 'silent' }), binFolder: folder, cacheFolder: join(folder, 'cache') },
      environment: {},
      blobs,
      link: {
        takeFingerprints: ({ most }) => {
          this.wanted.push(most);
          return Promise.resolve({ asks: this.asks.splice(0, most) });
        },
        answerFingerprint: (ask, answer) => {
          this.answers.set(ask, answer);
          return Promise.resolve();
        },
        askedBlob: (sha256) => {
          const text = this.files.get(sha256);
          if (text === undefined) return Promise.reject(new Error(`${sha256} is not there`));
          return Promise.resolve({ status: 200, headers: {}, body: Readable.from([Buffer.from(text)]) });
        },
      },
    });
    this.#ended = this.#keeper.run(this.#stop.signal);
  }

  wake(): void {
    this.#keeper?.wake();
  }

  async answerTo({ ask }: FingerprintAsk): Promise<FingerprintAnswer> {
    for (;;) {
      const answer = this.answers.get(ask);
      if (answer !== undefined) return answer;
      await sleep(10);
    }
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }
}

async function reached(name: string): Promise<void> {
  while (!existsSync(join(folder, name))) await sleep(10);
}

describe('FingerprintKeeper', () => {
  it.each<[string, string, Partial<FingerprintAsk>, unknown]>([
    ['what the command wrote', 'echo x', {}, { kind: 'output', sha256: sha256('x\n') }],
    [
      'that it failed',
      'echo "no route" >&2; exit 2',
      {},
      {
        kind: 'failed',
        reason:
          'step "pop": its fingerprint command ./state ended with exit status 2; expected exit status 0. Its last line of errors: no route',
      },
    ],
    [
      'that it reads the manifest differently',
      'echo x',
      { planContentSha256: '0'.repeat(64) },
      { kind: 'unable', reason: expect.stringContaining('reads the manifest differently') },
    ],
    [
      'that a file is not to be had',
      'echo x',
      { files: [{ path: 'pop', executable: true, sha256: '0'.repeat(64), bytes: 1 }] },
      { kind: 'unable', reason: expect.stringContaining('is not there') },
    ],
    [
      'that it knows no such step',
      'echo x',
      { step: 'mod' },
      { kind: 'unable', reason: 'the manifest has no step "mod"' },
    ],
  ])('answers %s', async (_, program, change, answer) => {
    const ask = askOf(program, change);
    played.asks = [ask];
    await played.begin();
    expect(await played.answerTo(ask)).toEqual(answer);
  });

  it('asks for two at a time, and for more when one is done', async () => {
    const hold = (name: string): string =>
      `touch ${folder}/${name}.began; until [ -e ${folder}/${name} ]; do sleep 0.02; done; echo ${name}`;
    const asks = ['a', 'b', 'c'].map((name) => askOf(hold(name)));
    played.asks = [...asks];
    await played.begin();
    await Promise.all(['a.began', 'b.began'].map(reached));
    played.wake();
    await sleep(50);
    expect([played.wanted, played.asks]).toEqual([[2], [asks[2]]]);
    await writeFile(join(folder, 'b'), '');
    await reached('c.began');
    expect(played.wanted.slice(0, 2)).toEqual([2, 1]);
    await writeFile(join(folder, 'a'), '');
    await writeFile(join(folder, 'c'), '');
    for (const [at, name] of ['a', 'b', 'c'].entries())
      expect(await played.answerTo(asks[at]!)).toEqual({ kind: 'output', sha256: sha256(`${name}\n`) });
  });

  it('ends what runs when the agent leaves, and says nothing of it', async () => {
    const ask = askOf(`touch ${folder}/began; sleep 1000`);
    played.asks = [ask];
    await played.begin();
    await reached('began');
    await played.end();
    expect(played.answers.size).toBe(0);
  });
});
