// needs: nothing but loopback; s3rver from npm
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ObjectLogStore, S3BlobStore, type S3Settings } from '#libs/artifacts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { blobStoreConformance } from '../../libs/artifacts/src/blob-store-conformance.js';
import { logStoreConformance } from '../../libs/artifacts/src/log-store-conformance.js';
import { startS3, type RunningS3 } from '../support/s3-server.js';

/**
 * The stores on a real server of S3's protocol, on loopback. What s3rver does not prove: signatures (it looks the access key up and does not check
 * what was signed), Amazon's or another server's own limits (parts below 5 MiB are taken, more than 10,000 as well), AbortMultipartUpload (it has none, so an upload with another digest leaves parts behind there),
 * virtual-host style, TLS, throttling and retries, how soon a listing shows what another process wrote, and objects above some GB.
 */
let folder: string;
let s3: RunningS3;
let settings: S3Settings;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 's3-'));
  s3 = await startS3(folder, 'farm');
  settings = s3.settings;
});
afterAll(async () => {
  await s3.stop();
  await rm(folder, { recursive: true });
});

let number = 0;
/** A prefix of its own for each test: one bucket serves all. */
const another = (): S3Settings => ({ ...settings, prefix: `test-${number++}/` });

describe('S3BlobStore', () => {
  blobStoreConformance(async () => {
    const own = another();
    const open = async (): Promise<S3BlobStore> => await S3BlobStore.open(own);
    return { store: await open(), reopen: open, remove: () => Promise.resolve() };
  });

  it('says what is wrong with a bucket, and nothing of the credentials', async () => {
    const wrong = { ...settings, bucket: 'nothing' };
    await expect(S3BlobStore.open(wrong)).rejects.toMatchObject({ code: 'UNUSABLE' });
    const error: unknown = await S3BlobStore.open({
      ...settings,
      accessKeyId: 'nobody',
      secretAccessKey: 'a-secret',
    }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'UNUSABLE' });
    const store = await S3BlobStore.open({ ...settings, secretAccessKey: 'a-secret' });
    for (const shown of [error, store]) expect(inspect(shown, { depth: 3 })).not.toContain('a-secret');
    await store.close();
  });
});

describe('ObjectLogStore', () => {
  logStoreConformance(async () => {
    const own = another();
    const open = async (): Promise<ObjectLogStore> => await ObjectLogStore.open(own);
    return { store: await open(), reopen: open, remove: () => Promise.resolve() };
  });
});
