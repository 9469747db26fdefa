import type { AgentView, Enrolment } from '#libs/contracts';
import { ApiError, Unreachable } from '#libs/http-client';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { CliError } from '../cli-error.js';
import { EXIT } from '../exit-codes.js';
import type { Farm } from '../farm.js';
import type { FarmFolder } from './farm-folder.js';
import { pause } from './keep-running.js';

const ASK_EVERY_MS = 200;
const TOKEN_SECONDS = 600;

export interface LocalIdentity {
  readonly agent: string;
  readonly name: string;
}

export interface AgentSettings {
  readonly coordinator: string;
  readonly store: string;
  readonly slots: number;
  /** The farm's own authority, when it has one. */
  readonly caPath: string | null;
}

/** What the agent's process is told; the rest of its settings are the user's environment. */
export function agentSettings(
  folder: FarmFolder,
  { coordinator, store, slots, caPath }: AgentSettings,
): Readonly<Record<string, string>> {
  return {
    DISTROFARM_COORDINATOR: coordinator,
    DISTROFARM_AGENT_STATE: folder.agent,
    DISTROFARM_AGENT_STORE: store,
    DISTROFARM_AGENT_SLOTS: String(slots),
    // A farm on one machine stops as a whole: its steps end at once, and are repeated from their checkpoints.
    DISTROFARM_AGENT_LEAVE_SECONDS: '0',
    // Not pinned in its identity: the farm may get, or lose, its authority with another --listen.
    ...(caPath === null ? {} : { NODE_EXTRA_CA_CERTS: caPath }),
  };
}

/** `null` before the agent is enrolled. */
export async function readLocalIdentity({ agent }: FarmFolder): Promise<LocalIdentity | null> {
  try {
    return JSON.parse(await readFile(join(agent, 'identity.json'), 'utf8')) as LocalIdentity;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new CliError(
      EXIT.config,
      `the agent's identity in ${agent} cannot be read: ${(error as Error).message}`,
      'Remove identity.json there: the agent is enrolled anew, and builds what it had once more.',
    );
  }
}

/** Makes this machine an agent of the farm, with a token that no other process gets to see. Throws a CliError. */
export async function enrolLocalAgent(
  farm: Farm,
  folder: FarmFolder,
  name: string | null,
  program: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const enrolment = { name, expiresInSeconds: TOKEN_SECONDS };
  const { token } = await farm.post<Enrolment>('/agents/enrolments', enrolment);
  await mkdir(folder.agent, { recursive: true, mode: 0o700 });
  const args = ['enrol', '--coordinator', farm.profile.url, '--token', '-'];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, program, ...args], {
    cwd: '/',
    env: environment,
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(`${token}\n`);
  const [said] = await Promise.all([text(child.stderr), once(child, 'close')]);
  if (child.exitCode === 0) return;
  throw new CliError(
    EXIT.config,
    'this machine could not be enrolled as an agent',
    null,
    said.trim().split('\n'),
  );
}

/** Until the coordinator has heard of the agent since then, or the signal aborts. */
export async function untilConnected(
  farm: Farm,
  { agent }: LocalIdentity,
  since: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    if (await isConnected(farm, agent, since, signal)) return;
    await pause(ASK_EVERY_MS, signal);
  }
}

async function isConnected(farm: Farm, id: string, since: number, signal: AbortSignal): Promise<boolean> {
  try {
    const { agents } = await farm.get<{ readonly agents: readonly AgentView[] }>('/agents', { signal });
    const own = agents.find((agent) => agent.id === id);
    return own !== undefined && own.state !== 'lost' && (own.lastSeenAt ?? 0) >= since;
  } catch (error) {
    if (signal.aborted || error instanceof Unreachable || error instanceof ApiError) return false;
    throw error;
  }
}
