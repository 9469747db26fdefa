import type { WhoAmI } from '#libs/contracts';
import type { Command } from 'commander';
import { CliError } from '../cli-error.js';
import { example } from '../example.js';
import { EXIT } from '../exit-codes.js';
import type { Io } from '../io.js';
import { refuseClearText, saveProfile } from '../profiles.js';
import type { Session } from '../session.js';
import { untilAborted } from '../until-aborted.js';

interface LoginOptions {
  readonly tokenStdin?: boolean;
  readonly caFingerprint?: string;
  readonly keepCurrent?: boolean;
}

export function login(command: Command, session: Session): void {
  example(
    command
      .argument('<url>', 'address of the coordinator, e.g. https://farm.example:8443')
      .option('--token-stdin', 'read the token from standard input; else it is asked for')
      .option('--ca-fingerprint <fingerprint>', "of the farm's own certificate authority: sha256:…")
      .option('--keep-current', 'leave the current profile as it is, where there is one'),
    'distrofarm login https://farm.example:8443 --token-stdin < token',
  ).action(async (url: string, { tokenStdin, caFingerprint, keepCurrent }: LoginOptions) => {
    refuseClearText(checkedUrl(url));
    const ca = caFingerprint === undefined ? null : await certificate(url, caFingerprint);
    const token = await readToken(session.io, tokenStdin === true);
    const { Farm } = await import('../farm.js');
    const name = session.options.profile ?? 'default';
    const farm = new Farm({ name, url, token, ca }, session.io.signal);
    try {
      const me = await farm.get<WhoAmI>('/whoami');
      await saveProfile(session.io.env, name, { url, token, ca }, { keepCurrent: keepCurrent === true });
      await session.show(me, ({ user, role, farm: farmName }) => [
        `You are ${user}, ${role}, on ${farmName}. This is profile ${name}${keepCurrent === true ? '' : ' from now on'}.`,
      ]);
    } finally {
      farm.close();
    }
  });
}

function checkedUrl(url: string): string {
  if (url.startsWith('unix:/')) return url;
  const protocol = URL.canParse(url) ? new URL(url).protocol : '';
  if (protocol === 'https:' || protocol === 'http:') return url;
  throw new CliError(
    EXIT.usage,
    `"${url}" is no address of a farm`,
    'It looks like https://farm.example:8443',
  );
}

async function certificate(url: string, fingerprint: string): Promise<string> {
  const { fetchFarmCa } = await import('#libs/http-client');
  try {
    return await fetchFarmCa(url, fingerprint.toLowerCase());
  } catch (error) {
    if (error instanceof TypeError) throw new CliError(EXIT.usage, `--ca-fingerprint: ${error.message}`);
    throw error;
  }
}

async function readToken(io: Io, fromStdin: boolean): Promise<string> {
  if (!fromStdin && io.stdin.isTTY !== true) {
    throw new CliError(
      EXIT.usage,
      'no token was given',
      'Give it on standard input: distrofarm login URL --token-stdin < FILE',
    );
  }
  const { readSecret } = await import('../read-secret.js');
  const token = (
    fromStdin ? await untilAborted(firstOf(io), io.signal) : await readSecret(io, 'Token: ')
  ).trim();
  if (/^[\x21-\x7e]{8,200}$/.test(token)) return token;
  throw new CliError(
    EXIT.usage,
    'that is no token',
    'A token begins with "dfu_". An admin makes one with: distrofarm tokens create USER',
  );
}

/** A token is short: what is longer is something else. */
async function firstOf({ stdin }: Io): Promise<string> {
  let text = '';
  for await (const chunk of stdin) {
    text += chunk.toString();
    if (text.length > 4096) break;
  }
  return text;
}
