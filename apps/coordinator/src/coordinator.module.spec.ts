import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { Test } from '@nestjs/testing';
import 'reflect-metadata';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { DirectoryBlobStore, DirectoryLogStore } from '#libs/artifacts';
import { FarmRedis, Wakes } from '#libs/queue';
import { migrate, openDatabase, type FarmDatabase } from '#libs/store';
import { CoordinatorConfig } from './config.js';
import { CoordinatorModule } from './coordinator.module.js';
import { FarmCertificate } from './farm-certificate.js';
import { Loops } from './loops/loops.js';
import type { Resources } from './open-resources.js';
import { wire } from './start-coordinator.js';

const log = pino({ level: 'silent' });
let folder: string;
let database: FarmDatabase;
let resources: Resources;
let config: CoordinatorConfig;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coordinator-module-'));
  const read = CoordinatorConfig.read({
    DISTROFARM_DATA: folder,
    DISTROFARM_REDIS: `unix:${folder}/none.sock`,
  });
  if (!read.ok) throw new Error(read.problems.join('\n'));
  config = read.config;
  database = await openDatabase(config.database);
  await migrate(database);
  const ignore = (): void => undefined;
  // Nothing is asked of it here: wiring must not need a server.
  const redis = new FarmRedis({ config: config.redis, onError: ignore });
  resources = {
    database,
    redis,
    wakes: new Wakes(redis, ignore),
    blobs: await DirectoryBlobStore.open(join(folder, 'artifacts')),
    logs: await DirectoryLogStore.open(join(folder, 'logs')),
    certificate: new FarmCertificate(null, null),
  };
});

afterAll(async () => {
  await resources.wakes.close();
  await resources.redis.close();
  await database.close();
  await rm(folder, { recursive: true });
});

describe('CoordinatorModule', () => {
  it('is whole', async () => {
    const module = await Test.createTestingModule({
      imports: [CoordinatorModule.on(config, resources, log)],
    }).compile();
    expect(module.get(Loops)).toBeInstanceOf(Loops);
  });

  it('does not start half-wired, and says what is missing', async () => {
    const whole = CoordinatorModule.on(config, resources, log);
    const providers = (whole.providers ?? []).filter(
      (provider) => typeof provider === 'function' || provider.provide !== Wakes,
    );
    await expect(wire({ ...whole, providers }, { logger: false, abortOnError: false })).rejects.toMatchObject(
      {
        name: 'CannotStart',
        problems: [expect.stringMatching(/put together wrongly .*Wakes/)],
      },
    );
  });
});
