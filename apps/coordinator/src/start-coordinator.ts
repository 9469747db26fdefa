import type { DynamicModule, NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { json, type RequestHandler } from 'express';
import helmet from 'helmet';
import { chmod, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Logger } from 'pino';
import { MAX_SUBMISSION_BYTES } from '#libs/contracts';
import { describeApi } from './api/describe-api.js';
import type { CoordinatorConfig } from './config.js';
import { CoordinatorModule } from './coordinator.module.js';
import { CannotStart, openResources, type Resources } from './open-resources.js';
import { PAGE_POLICY, serveWeb } from './web/serve-web.js';

export interface RunningCoordinator {
  /** Where it listens: `http://127.0.0.1:7455`, or `unix:/path`. */
  readonly url: string;
  stop(): Promise<void>;
}

/** An agent's first word may list a hundred thousand checkpoints. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;
/** An enrolment, which has its token in the body. */
const MAX_NOBODY_BYTES = 256 * 1024;
/** Long polls and streams are cut off then; whoever was on them comes back. */
const GOODBYE_MS = 500;
const LONGEST_REQUEST_MS = 15 * 60_000;
/**
 * Longer than an agent is silent, so that its connections live on: Node takes one new connection for each turn of its loop, and a thousand agents that
 * connect anew for every heartbeat wait for seconds.
 */
const KEEP_ALIVE_MS = 75_000;

/** Opens everything, checks it, and serves. Throws CannotStart. */
export async function startCoordinator(config: CoordinatorConfig, log: Logger): Promise<RunningCoordinator> {
  const resources = await openResources(config, log);
  try {
    const app = await makeApplication(config, resources, log);
    await listen(app, config, log);
    const url = await addressOf(app, config);
    log.info({ component: 'main', url, database: resources.database.description }, 'the coordinator is up');
    return {
      url,
      stop: async () => {
        await stopServing(app);
        await closeResources(resources);
      },
    };
  } catch (error) {
    await closeResources(resources);
    throw error;
  }
}

async function makeApplication(
  config: CoordinatorConfig,
  resources: Resources,
  log: Logger,
): Promise<NestExpressApplication> {
  const { server } = resources.certificate;
  const app = await wire(CoordinatorModule.on(config, resources, log), {
    bodyParser: false,
    abortOnError: false,
    logger: false,
    ...(server === null ? {} : { httpsOptions: { cert: server.certificate, key: server.key } }),
  });
  app.use(helmet({ contentSecurityPolicy: { useDefaults: false, directives: PAGE_POLICY } }));
  app.use(serveWeb());
  app.use('/api/v1/builds', readBody(MAX_SUBMISSION_BYTES));
  app.use(readBody(MAX_BODY_BYTES));
  app.set('query parser', 'simple');
  app.disable('x-powered-by');
  describeApi(app);
  return app;
}

/** Bodies are read before anybody knows who sent them, so who shows no secret at all is not listened to for long. */
function readBody(limit: number): RequestHandler {
  const [ofSomebody, ofNobody] = [json({ limit }), json({ limit: MAX_NOBODY_BYTES })];
  return (request, response, next) => {
    const read = request.headers.authorization === undefined ? ofNobody : ofSomebody;
    read(request, response, next);
  };
}

/** Throws CannotStart when a part of the module is missing: nothing is served by a coordinator that is only half there. */
export async function wire(
  module: DynamicModule,
  options: NestApplicationOptions,
): Promise<NestExpressApplication> {
  try {
    return await NestFactory.create<NestExpressApplication>(module, options);
  } catch (error) {
    throw new CannotStart([
      `It is put together wrongly (coordinator.module.ts): ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`,
    ]);
  }
}

async function listen(
  app: NestExpressApplication,
  { listen }: CoordinatorConfig,
  log: Logger,
): Promise<void> {
  const server = app.getHttpServer();
  server.requestTimeout = LONGEST_REQUEST_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  try {
    if (listen.kind === 'socket') {
      await removeStaleSocket(listen.path);
      await app.listen(listen.path);
      await chmod(listen.path, 0o600);
    } else {
      await app.listen(listen.port, listen.host);
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    log.debug({ component: 'main', err: error }, 'cannot listen');
    const where = listen.kind === 'socket' ? listen.path : `${listen.host}:${listen.port}`;
    const reason = code === 'EADDRINUSE' ? 'something listens there already' : message;
    throw new CannotStart([
      `It cannot listen on ${where}: ${reason}. DISTROFARM_LISTEN names another place.`,
    ]);
  }
}

/** A coordinator that was killed leaves its socket behind; one that lives answers there. */
async function removeStaleSocket(path: string): Promise<void> {
  const isAlive = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
  if (!isAlive) await rm(path, { force: true });
}

async function addressOf(app: NestExpressApplication, { listen, tls }: CoordinatorConfig): Promise<string> {
  if (listen.kind === 'socket') return `unix:${listen.path}`;
  const address = app.getHttpServer().address();
  const port = typeof address === 'object' && address !== null ? address.port : listen.port;
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  return await Promise.resolve(`${tls.kind === 'off' ? 'http' : 'https'}://${host}:${port}`);
}

async function stopServing(app: NestExpressApplication): Promise<void> {
  const server = app.getHttpServer();
  const cut = setTimeout(() => server.closeAllConnections(), GOODBYE_MS);
  server.closeIdleConnections();
  await app.close();
  clearTimeout(cut);
}

async function closeResources({ database, redis, wakes }: Resources): Promise<void> {
  await wakes.close();
  await redis.close();
  await database.close();
}
