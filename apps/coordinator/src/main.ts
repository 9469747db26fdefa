import 'reflect-metadata';
import { setFlagsFromString } from 'node:v8';
import { pino } from 'pino';
import { CoordinatorConfig } from './config.js';
import { CannotStart } from './open-resources.js';
import { startCoordinator } from './start-coordinator.js';

/** A configuration or an environment that it cannot run in; sysexits' EX_CONFIG. */
const EXIT_CONFIG = 78;

// Else V8 lets garbage grow to four times what is in use before it collects it.
setFlagsFromString('--heap-growing-percent=100');

const read = CoordinatorConfig.read(process.env);
if (!read.ok) refuse(read.problems);
const { config } = read;
const log = pino({ level: config.logLevel }, pino.destination({ fd: 2, sync: true }));
try {
  const coordinator = await startCoordinator(config, log);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      log.info({ component: 'main', signal }, 'stopping');
      void coordinator.stop().then(() => process.exit(0));
    });
  }
} catch (error) {
  if (error instanceof CannotStart) refuse(error.problems);
  const hint =
    error instanceof Error && 'hint' in error && typeof error.hint === 'string' ? [error.hint] : [];
  if (error instanceof Error && 'code' in error) refuse([error.message, ...hint]);
  throw error;
}

function refuse(problems: readonly string[]): never {
  process.stderr.write(
    `The coordinator cannot start:\n${problems.map((problem) => `  ${problem}\n`).join('')}`,
  );
  process.exit(EXIT_CONFIG);
}
