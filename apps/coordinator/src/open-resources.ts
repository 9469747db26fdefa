import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from './log.js';
import {
  DirectoryBlobStore,
  DirectoryLogStore,
  ObjectLogStore,
  S3BlobStore,
  type BlobStore,
  type LogStore,
} from '#libs/artifacts';
import { checkRedis, FarmRedis, Wakes } from '#libs/queue';
import { createToken, listTokens, migrate, openDatabase, type FarmDatabase } from '#libs/store';
import { openFarmCa } from '#libs/tls';
import type { CoordinatorConfig } from './config.js';
import { FarmCertificate } from './farm-certificate.js';

/** What a coordinator stands on, opened and found good before the application is made. */
export interface Resources {
  readonly database: FarmDatabase;
  readonly redis: FarmRedis;
  readonly wakes: Wakes;
  readonly blobs: BlobStore;
  readonly logs: LogStore;
  readonly certificate: FarmCertificate;
}

/** The coordinator cannot run like this; each problem is a sentence that says what to do. */
export class CannotStart extends Error {
  override readonly name = 'CannotStart';
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

const REDIS_TIMEOUT_MS = 10_000;

/** Throws CannotStart, and leaves nothing open then. */
export async function openResources(config: CoordinatorConfig, log: Log): Promise<Resources> {
  await mkdir(config.dataFolder, { recursive: true, mode: 0o700 });
  await chmod(config.dataFolder, 0o700);
  const certificate = await openCertificate(config);
  const { blobs, logs } = await openArtifacts(config);
  const redis = new FarmRedis({
    config: config.redis,
    prefix: config.redisPrefix,
    onError: (err) => log.warn({ component: 'redis', err }, 'Redis does not answer'),
  });
  try {
    await requireGoodRedis(config, redis, log);
    const database = await openDatabase(config.database);
    for (const name of await migrate(database))
      log.info({ component: 'database', migration: name }, 'migrated');
    await makeFirstToken(config, database, log);
    const wakes = new Wakes(redis, (err) => log.warn({ component: 'redis', err }, 'wake-ups failed'));
    return { database, redis, wakes, blobs, logs, certificate };
  } catch (error) {
    await redis.close();
    throw error;
  }
}

async function requireGoodRedis(config: CoordinatorConfig, redis: FarmRedis, log: Log): Promise<void> {
  try {
    await redis.untilUp(REDIS_TIMEOUT_MS);
  } catch {
    throw new CannotStart([
      `Redis at ${redis.where} does not answer. Start it, or name another one with DISTROFARM_REDIS.`,
    ]);
  }
  const problems = await checkRedis(redis, { throwAway: config.redisThrowAway });
  for (const { text } of problems.filter(({ severity }) => severity === 'warn'))
    log.warn({ component: 'redis' }, text);
  const fatal = problems.filter(({ severity }) => severity === 'refuse').map(({ text }) => text);
  if (fatal.length > 0) throw new CannotStart(fatal);
}

async function openCertificate({ tls, dataFolder }: CoordinatorConfig): Promise<FarmCertificate> {
  switch (tls.kind) {
    case 'off':
      return new FarmCertificate(null, null);
    case 'files': {
      const [certificate, key] = await Promise.all([readPem(tls.certificate), readPem(tls.key)]);
      return new FarmCertificate({ certificate, key }, null);
    }
    case 'private-ca': {
      const ca = await openFarmCa(join(dataFolder, 'tls'));
      const { chain, key } = await ca.issueServerCertificate(tls.names);
      return new FarmCertificate({ certificate: chain, key }, ca.fingerprint);
    }
  }
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new CannotStart([`The certificate file ${path} cannot be read: ${(error as Error).message}`]);
  }
}

async function openArtifacts({
  artifacts,
  dataFolder,
}: CoordinatorConfig): Promise<{ readonly blobs: BlobStore; readonly logs: LogStore }> {
  if (artifacts.kind === 'directory') {
    return {
      blobs: await DirectoryBlobStore.open(artifacts.folder),
      logs: await DirectoryLogStore.open(join(dataFolder, 'logs')),
    };
  }
  return { blobs: await S3BlobStore.open(artifacts), logs: await ObjectLogStore.open(artifacts) };
}

/** A new farm has nobody who could make a token, so the first one is made here, for whoever can read the data folder. */
async function makeFirstToken(config: CoordinatorConfig, { db }: FarmDatabase, log: Log): Promise<void> {
  if ((await listTokens(db)).length > 0) return;
  const path = join(config.dataFolder, 'admin-token');
  const { secret } = await createToken(
    db,
    { user: 'admin', role: 'admin', rights: ['scripts'], note: 'made at the first start', expiresAt: null },
    Date.now(),
  );
  await writeFile(path, `${secret}\n`, { mode: 0o600 });
  log.info({ component: 'access', path }, "the first admin's token is in this file");
}
