import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { EXIT } from './exit-codes.js';
import { chooseProfile, profilesPath, readProfiles, saveProfile, writeProfiles } from './profiles.js';

let home: string;
const env = (more: Record<string, string> = {}) => ({ XDG_CONFIG_HOME: home, ...more });
const local = { url: 'http://127.0.0.1:8080', token: 'dfu_local', ca: null };
const office = { url: 'https://farm.example', token: 'dfu_office', ca: 'PEM' };

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'distrofarm-profiles-'));
});
afterEach(() => rm(home, { recursive: true }));

describe('profiles', () => {
  it('are kept for their owner only, with nothing left beside', async () => {
    await saveProfile(env(), 'local', local);
    await saveProfile(env(), 'office', office);
    expect(await readProfiles(env())).toEqual({ current: 'office', profiles: { local, office } });
    expect((await stat(profilesPath(env()))).mode & 0o777).toBe(0o600);
    expect(await readdir(dirname(profilesPath(env())))).toEqual(['config.json']);
  });

  it('leave the current one as it is when asked to, where there is one', async () => {
    await saveProfile(env(), 'local', local, { keepCurrent: true });
    expect(await readProfiles(env())).toMatchObject({ current: 'local' });
    await saveProfile(env(), 'office', office, { keepCurrent: true });
    expect(await readProfiles(env())).toEqual({ current: 'local', profiles: { local, office } });
  });

  it.each(['', 'a/b', '../x', '__proto__', '-x'])('refuse the name %j', async (name) => {
    await expect(saveProfile(env(), name, local)).rejects.toMatchObject({ exit: EXIT.usage });
  });

  it.each(['{', '[]', '{"current":1,"profiles":{}}', '{"current":null,"profiles":{"a":{"url":1}}}'])(
    'say what is wrong with %s',
    async (text) => {
      await mkdir(dirname(profilesPath(env())));
      await writeFile(profilesPath(env()), text);
      await expect(readProfiles(env())).rejects.toMatchObject({ exit: EXIT.config });
    },
  );

  it('lie below HOME without XDG_CONFIG_HOME', () => {
    expect(profilesPath({ HOME: '/home/ada' })).toBe('/home/ada/.config/distrofarm/config.json');
  });
});

describe('chooseProfile', () => {
  beforeEach(() => writeProfiles(env(), { current: 'local', profiles: { local, office } }));

  it('takes the current one', async () => {
    expect(await chooseProfile(env(), undefined)).toEqual({ name: 'local', ...local });
  });

  it('takes the one asked for, whatever the environment says', async () => {
    const given = env({ DISTROFARM_URL: 'https://other.example', DISTROFARM_TOKEN: 'dfu_env' });
    expect(await chooseProfile(given, 'office')).toEqual({ name: 'office', ...office });
  });

  it('never sends the token of a profile to the address of the environment', async () => {
    const chosen = await chooseProfile(env({ DISTROFARM_URL: 'https://other.example' }), undefined);
    expect(chosen).toEqual({ name: 'DISTROFARM_URL', url: 'https://other.example', token: null, ca: null });
  });

  it('takes the token of the environment for the current profile', async () => {
    expect(await chooseProfile(env({ DISTROFARM_TOKEN: 'dfu_env' }), undefined)).toMatchObject({
      url: local.url,
      token: 'dfu_env',
    });
  });

  it.each([
    ['http://farm.example', false],
    ['http://127.0.0.1.evil.example', false],
    ['http://localhost.evil.example', false],
    ['http://10.0.0.1:8080', false],
    ['http://localhost:8080', true],
    ['http://127.1.2.3', true],
    ['http://[::1]:8080', true],
    ['https://farm.example', true],
    ['unix:/run/distrofarm/api.sock', true],
  ])('sends a token to %s: %s', async (url, sent) => {
    const choosing = chooseProfile(env({ DISTROFARM_URL: url, DISTROFARM_TOKEN: 'dfu_x' }), undefined);
    if (sent) expect(await choosing).toMatchObject({ url });
    else await expect(choosing).rejects.toMatchObject({ exit: EXIT.config });
  });

  it('says what to do when nothing is configured', async () => {
    await writeProfiles(env(), { current: null, profiles: {} });
    await expect(chooseProfile(env(), undefined)).rejects.toMatchObject({
      exit: EXIT.config,
      hint: expect.stringMatching(/distrofarm up\n.*distrofarm login URL/),
    });
  });

  it('names the profiles there are when the one asked for is none of them', async () => {
    await expect(chooseProfile(env(), 'toString')).rejects.toMatchObject({
      hint: expect.stringContaining('local, office'),
    });
  });
});
