import 'reflect-metadata';
import { BuildAreaLock, BuildAreaLockedError } from '#libs/build-area';
import { SnapshotStoreError } from '#libs/engine';
import { ApiError, HttpClient, Unreachable, WrongFarmCa } from '#libs/http-client';
import { Areas } from '#libs/snapshots';
import { NestFactory } from '@nestjs/core';
import { chmod, mkdir } from 'node:fs/promises';
import pino, { type Logger } from 'pino';
import { Agent, AgentRefused } from './agent.js';
import { AgentModule, openAreas } from './agent.module.js';
import { parseCommandLine, USAGE, type AgentCommand } from './command-line.js';
import { ConfigError, readConfig, type AgentConfig } from './config.js';
import { enrol } from './host/enrol.js';
import { readIdentity } from './host/identity.js';
import { VERSION } from './host/install.js';

const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3 } as const;
type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** `distrofarm-agent`. Resolves to the exit status. */
export async function main(args: readonly string[]): Promise<ExitStatus> {
  const command = parseCommandLine(args);
  if (command.kind === 'help') return print(USAGE, EXIT.ok);
  if (command.kind === 'version') return print(`distrofarm-agent (distrofarm) ${VERSION}\n`, EXIT.ok);
  if (command.kind === 'usage-error')
    return complain(`distrofarm-agent: ${command.message}\n${USAGE}`, EXIT.usage);
  if (process.getuid?.() !== 0)
    return complain('You must be root to run distrofarm-agent: steps are; try sudo.', EXIT.failed);
  process.umask(0o022);
  try {
    const config = readConfig();
    await mkdir(config.stateFolder, { recursive: true, mode: 0o700 });
    await chmod(config.stateFolder, 0o700);
    const log = pino(
      { level: config.logLevel, base: { component: 'agent' } },
      pino.destination({ fd: 2, sync: true }),
    );
    return command.kind === 'enrol' ? await enrolHere(command, config, log) : await run(config, log);
  } catch (error) {
    return complainOf(error);
  }
}

async function enrolHere(
  command: AgentCommand & { kind: 'enrol' },
  config: AgentConfig,
  log: Logger,
): Promise<ExitStatus> {
  const areas = await openAreas(config.store, log);
  const { name, agent } = await enrol(command, config, areas);
  return print(`Enrolled as ${name} (${agent}). Start it: distrofarm-agent run\n`, EXIT.ok);
}

async function run(config: AgentConfig, log: Logger): Promise<ExitStatus> {
  const identity = await readIdentity(config.stateFolder);
  if (identity === null) {
    return complain(
      `This host is not enrolled: there is no identity in ${config.stateFolder}.\nOn the coordinator, run "distrofarm agents enrol", and here the command that it prints:\n  distrofarm-agent enrol --coordinator URL --token TOKEN`,
      EXIT.failed,
    );
  }
  const lock = BuildAreaLock.take(config.stateFolder, 'distrofarm-agent run');
  let storeLock: BuildAreaLock | null = null;
  try {
    const parts = AgentModule.for(config, identity, log);
    const app = await NestFactory.createApplicationContext(parts, { logger: false, abortOnError: false });
    storeLock = BuildAreaLock.take(await app.get(Areas).prepare(), 'distrofarm-agent run');
    const agent = app.get(Agent);
    listenToSignals(agent, log);
    await agent.run();
    app.get(HttpClient).close();
    await app.close();
    return EXIT.ok;
  } finally {
    storeLock?.release();
    lock.release();
  }
}

/** The first lets running jobs end, the second ends them, a third ends us; the kernel then ends the steps with us. */
function listenToSignals(agent: Agent, log: Logger): void {
  let count = 0;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      count += 1;
      log.info({ signal, count }, count === 1 ? 'leaving when running jobs have ended' : 'stopping now');
      if (count === 1) agent.leave();
      else if (count === 2) agent.stopNow();
      else process.exit(EXIT.failed);
    });
  }
}

function complainOf(error: unknown): ExitStatus {
  if (error instanceof ConfigError) {
    return complain(
      `The settings have problems:\n${error.problems.map((each) => `  ${each}`).join('\n')}`,
      EXIT.usage,
    );
  }
  if (error instanceof BuildAreaLockedError) {
    return complain(
      `Another agent uses ${error.area}: ${error.holder}.\nGive each agent of a host its own DISTROFARM_AGENT_STATE and DISTROFARM_AGENT_STORE.`,
      EXIT.failed,
    );
  }
  if (error instanceof AgentRefused) return complain(`distrofarm-agent: ${error.message}`, EXIT.failed);
  const isKnown =
    error instanceof ApiError ||
    error instanceof Unreachable ||
    error instanceof WrongFarmCa ||
    error instanceof SnapshotStoreError;
  if (!isKnown) throw error;
  const hint = error.hint === null ? '' : `\n${error.hint}`;
  return complain(
    `distrofarm-agent: ${error.message}.${hint}`,
    error instanceof Unreachable ? EXIT.unreachable : EXIT.failed,
  );
}

function print(text: string, status: ExitStatus): ExitStatus {
  process.stdout.write(text);
  return status;
}

function complain(text: string, status: ExitStatus): ExitStatus {
  process.stderr.write(`${text.trimEnd()}\n`);
  return status;
}
