import { fetchFarmCa, HttpClient } from '#libs/http-client';
import type { Areas } from '#libs/snapshots';
import { text } from 'node:stream/consumers';
import type { AgentCommand } from '../command-line.js';
import type { AgentConfig } from '../config.js';
import { CoordinatorLink } from '../link/coordinator-link.js';
import { fixedFacts } from './host-facts.js';
import { writeIdentity, type Identity } from './identity.js';
import { VERSION } from './install.js';

/** Trades the one-use token for a key of this agent's own, and keeps that. Throws ApiError, Unreachable, WrongFarmCa. */
export async function enrol(
  { coordinator, token, caFingerprint, name }: AgentCommand & { kind: 'enrol' },
  config: AgentConfig,
  areas: Areas,
): Promise<Identity> {
  const ca = caFingerprint === null ? null : await fetchFarmCa(coordinator, caFingerprint);
  const http = new HttpClient({ url: coordinator, secret: null, ca });
  try {
    const { freeBytes, usedBytes } = await areas.space();
    const facts = {
      ...(await fixedFacts(config, areas, VERSION)),
      freeBytes: Math.floor(freeBytes),
      usedBytes: Math.floor(usedBytes),
    };
    const secret = token === '-' ? (await text(process.stdin)).trim() : token;
    const answer = await new CoordinatorLink(http).enrol({ token: secret, name: name ?? config.name, facts });
    const identity = { agent: answer.agent, name: answer.name, key: answer.key, coordinator, ca };
    await writeIdentity(config.stateFolder, identity);
    return identity;
  } finally {
    http.close();
  }
}
