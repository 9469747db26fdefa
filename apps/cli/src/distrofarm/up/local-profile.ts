import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { userInfo } from 'node:os';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { saveProfile, type Environment, type Profile } from '../profiles.js';

const run = promisify(execFile);

export const LOCAL_PROFILE = 'local';

interface Person {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/**
 * Keeps the farm as profile `local`: for root, and for whoever ran sudo, who may be root here anyway. It becomes the current profile where there
 * is none. Resolves to what did not work, a sentence each.
 */
export async function keepLocalProfile(
  env: Environment,
  profile: Profile & { readonly token: string },
  caFingerprint: string | null,
  program: string,
): Promise<readonly string[]> {
  const person = await sudoPerson(env);
  // sudo may have kept the HOME of the other: a file of root's in there would lock its owner out.
  const own = person === null ? env : { HOME: userInfo().homedir };
  await saveProfile(own, LOCAL_PROFILE, profile, { keepCurrent: true });
  if (person === null) return [];
  return await loginAs(person, profile, caFingerprint, program);
}

/** As that user, not as root in that user's folders: a link there may lead anywhere. */
async function loginAs(
  { name, uid, gid, home }: Person,
  { url, token }: Profile & { readonly token: string },
  caFingerprint: string | null,
  program: string,
): Promise<readonly string[]> {
  const trust = caFingerprint === null ? [] : ['--ca-fingerprint', caFingerprint];
  const args = ['login', url, '--profile', LOCAL_PROFILE, '--token-stdin', '--keep-current', ...trust];
  const child = spawn(process.execPath, [program, ...args], {
    uid,
    gid,
    cwd: '/',
    env: { PATH: process.env['PATH'], HOME: home },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(`${token}\n`);
  const [said] = await Promise.all([text(child.stderr), once(child, 'close')]);
  if (child.exitCode === 0) return [];
  const why = said.trim().split('\n')[0] ?? '';
  return [`The farm could not be kept as a profile of ${name} (${why}): use sudo with the commands below.`];
}

/** Who ran sudo; `null` when nobody did. */
async function sudoPerson({ SUDO_UID: uid, SUDO_GID: gid }: Environment): Promise<Person | null> {
  if (uid === undefined || gid === undefined || !/^[1-9]\d*$/.test(uid) || !/^\d+$/.test(gid)) return null;
  try {
    const { stdout } = await run('getent', ['passwd', uid]);
    const [name = '', , , , , home = ''] = stdout.trim().split(':');
    return { name, uid: Number(uid), gid: Number(gid), home };
  } catch {
    // An id without an entry has no home to keep a profile in.
    return null;
  }
}
