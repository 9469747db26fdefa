import type { Health } from '#libs/contracts';
import { ApiError, Unreachable } from '#libs/http-client';
import { createHash, X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError } from '../cli-error.js';
import { EXIT } from '../exit-codes.js';
import { Farm } from '../farm.js';
import type { FarmFolder } from './farm-folder.js';
import { pause } from './keep-running.js';
import type { FarmAddress } from './listen-address.js';
import { LOCAL_PROFILE } from './local-profile.js';

const ASK_EVERY_MS = 100;
const ANSWERS_WITHIN_MS = 5_000;

/** The certificate of the farm's own authority, which `distrofarm up` lays where its agent and root's programs can read it. */
export interface FarmTrust {
  readonly pem: string;
  readonly path: string;
  /** `sha256:<hex>` over its DER. */
  readonly fingerprint: string;
}

/** What the coordinator's process is told; the rest of its settings are the user's environment. */
export function coordinatorSettings(
  folder: FarmFolder,
  address: FarmAddress,
  redis: string,
): Readonly<Record<string, string>> {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return {
    DISTROFARM_DATA: folder.coordinator,
    DISTROFARM_LISTEN: `${host}:${address.port}`,
    DISTROFARM_REDIS: redis,
    ...(address.secure ? { DISTROFARM_URL: address.publicUrl } : {}),
  };
}

/** Until the coordinator answers that all is well, or the signal aborts. */
export async function untilHealthy(
  folder: FarmFolder,
  address: FarmAddress,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    if (await isHealthy(folder, address, signal)) return;
    await pause(ASK_EVERY_MS, signal);
  }
}

async function isHealthy(folder: FarmFolder, address: FarmAddress, signal: AbortSignal): Promise<boolean> {
  const trust = await readTrust(folder, address);
  if (address.secure && trust === null) return false;
  const farm = farmAt(address, null, trust);
  try {
    const health = await farm.get<Health>('/health', { signal, timeoutMs: ANSWERS_WITHIN_MS });
    return health.status === 'ok';
  } catch (error) {
    if (signal.aborted || error instanceof Unreachable || error instanceof ApiError) return false;
    throw error;
  } finally {
    farm.close();
  }
}

export function farmAt({ url }: FarmAddress, token: string | null, trust: FarmTrust | null): Farm {
  return new Farm({ name: LOCAL_PROFILE, url, token, ca: trust?.pem ?? null });
}

/** `null` without TLS, and before the coordinator has made its authority. */
export async function readTrust(folder: FarmFolder, { secure }: FarmAddress): Promise<FarmTrust | null> {
  if (!secure) return null;
  const both = await readFile(join(folder.coordinator, 'tls/farm-ca.pem'), 'utf8').catch(() => '');
  const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/.exec(both)?.[0];
  if (pem === undefined) return null;
  const path = join(folder.root, 'ca.pem');
  await writeFile(path, pem, { mode: 0o644 });
  const digest = createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
  return { pem, path, fingerprint: `sha256:${digest}` };
}

/** The token that the coordinator made at its first start. Throws a CliError. */
export async function readAdminToken({ coordinator }: FarmFolder): Promise<string> {
  const path = join(coordinator, 'admin-token');
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    throw new CliError(
      EXIT.config,
      `the first admin's token is not in ${path}: ${(error as Error).message}`,
      'Put the token of an admin into this file.',
    );
  }
}
