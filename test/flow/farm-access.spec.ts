// Needs redis-server, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Enrolment, Role, SubmittedBuild } from '#libs/contracts';
import type { ApiError, HttpClient } from '#libs/http-client';
import { readScript } from '#libs/steps';
import { createToken, openDatabase } from '#libs/store';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

describe('access to a farm', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start({ database: 'sqlite', agents: 1 });
  });
  afterAll(() => farm.stop());

  async function userWith(user: string, role: Role, rights: readonly 'scripts'[] = []): Promise<HttpClient> {
    return farm.clientFor(await farm.token({ user, role, rights: [...rights] }));
  }

  /** All that comes until its end. */
  async function drained(stream: AsyncIterable<unknown>): Promise<readonly unknown[]> {
    const pieces: unknown[] = [];
    for await (const piece of stream) pieces.push(piece);
    return pieces;
  }

  /** The code of the refusal, or `done`. */
  async function outcome(call: Promise<unknown>): Promise<string> {
    return await call.then(
      () => 'done',
      (error: unknown) => (error as ApiError).code,
    );
  }

  it('is refused without a token, with an unknown one and with a revoked one', async () => {
    const created = await farm.call<{ secret: string; token: { id: string } }>('POST', '/tokens', {
      user: 'gone',
      role: 'admin',
    });
    const gone = farm.clientFor(created.secret);
    expect(await outcome(gone.json('GET', '/api/v1/whoami'))).toBe('done');
    await farm.call('DELETE', `/tokens/${created.token.id}`);
    const refused = await gone.json('GET', '/api/v1/whoami').catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'NOT_AUTHENTICATED',
      status: 401,
      message: 'the token is revoked',
    });
    for (const secret of [null, 'dfu_0123456789012345678901234567890123456789', farm.adminToken.slice(0, -1)])
      expect(await outcome(farm.clientFor(secret).json('GET', '/api/v1/builds'))).toBe('NOT_AUTHENTICATED');
  });

  it('ends for whoever follows events or a log when the token is revoked', async () => {
    const scenario = farm.scenario([{ name: 'a', body: 'hold a' }]);
    const id = await farm.submit(scenario);
    await scenario.reached('a');
    const attempt = (await farm.build(id)).jobs[0]?.attempts[0]?.id ?? '';
    const created = await farm.call<{ secret: string; token: { id: string } }>('POST', '/tokens', {
      user: 'leaving',
      role: 'viewer',
    });
    const leaving = farm.clientFor(created.secret);
    const { body } = await leaving.download(`/api/v1/attempts/${attempt}/log?follow=true`);
    const events = leaving.events('/api/v1/events?after=latest');
    const ended = Promise.all([drained(body), drained(events)]);
    await farm.call('DELETE', `/tokens/${created.token.id}`);
    await ended;
    await scenario.open('a');
    await farm.atRest(id);
  });

  it('is refused with a token that has expired', async () => {
    const database = await openDatabase({ kind: 'sqlite', path: join(farm.folder, 'coordinator/farm.db') });
    const old = { user: 'old', role: 'admin', rights: [], note: '', expiresAt: Date.now() - 1 } as const;
    const { secret } = await createToken(database.db, old, Date.now() - 1000);
    await database.close();
    const refused = await farm
      .clientFor(secret)
      .json('GET', '/api/v1/whoami')
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'NOT_AUTHENTICATED', message: 'the token is expired' });
  });

  it('lets each role do what is its own, and no more', async () => {
    const scenario = farm.scenario([{ name: 'a' }]);
    const body = scenario.submission;
    const viewer = await userWith('vera', 'viewer', ['scripts']);
    expect(await outcome(viewer.json('GET', '/api/v1/builds'))).toBe('done');
    expect(await outcome(viewer.json('POST', '/api/v1/builds', body))).toBe('FORBIDDEN');
    const operator = await userWith('otto', 'operator', ['scripts']);
    expect(await outcome(operator.json('POST', '/api/v1/agents/agent0/drain', {}))).toBe('done');
    expect(await outcome(operator.json('POST', '/api/v1/agents/agent0/undrain'))).toBe('done');
    for (const path of ['/api/v1/tokens', '/api/v1/audit'])
      expect(await outcome(operator.json('GET', path))).toBe('FORBIDDEN');
    expect(await outcome(operator.json('POST', '/api/v1/agents/enrolments', {}))).toBe('FORBIDDEN');
  });

  it("lets an operator end another one's build, and no submitter", async () => {
    const scenario = farm.scenario([{ name: 'a', body: 'hold a' }]);
    await mkdir(scenario.folder);
    const sue = await userWith('sue', 'submitter', ['scripts']);
    const submitted = await sue.json<SubmittedBuild>('POST', '/api/v1/builds', scenario.submission);
    const path = `/api/v1/builds/${submitted!.build.id}`;
    const bob = await userWith('bob', 'submitter', ['scripts']);
    for (const action of ['pause', 'resume', 'cancel'])
      expect(await outcome(bob.json('POST', `${path}/${action}`, {}))).toBe('FORBIDDEN');
    const olga = await userWith('olga', 'operator');
    expect(await outcome(olga.json('POST', `${path}/cancel`, { why: 'the disk is needed' }))).toBe('done');
    expect(await farm.atRest(submitted!.build.id)).toMatchObject({ state: 'cancelled', user: 'sue' });
    const { entries } = await farm.call<{ entries: object[] }>('GET', '/audit?limit=1');
    expect(entries).toMatchObject([
      { user: 'olga', action: 'build.cancel', target: submitted!.build.id, why: 'the disk is needed' },
    ]);
  });

  it('lets whoever may not bring scripts use catalogued ones', async () => {
    const scenario = farm.scenario([{ name: 'a' }]);
    await scenario.write();
    const carl = await userWith('carl', 'submitter');
    const refused = await carl
      .json('POST', '/api/v1/builds', scenario.submission)
      .catch((error: unknown) => error);
    const script = await readScript(join(scenario.folder, 'steps/a.sh'));
    if (!script.ok) throw new Error(script.reason);
    const { digest } = script.script;
    expect(refused).toMatchObject({
      code: 'SCRIPT_NOT_CATALOGUED',
      status: 403,
      problems: [`steps/a.sh (${digest}) is not in the catalogue`],
    });
    expect(
      await outcome(carl.json('POST', '/api/v1/scripts', { scripts: [{ sha256: digest, name: 'a' }] })),
    ).toBe('FORBIDDEN');
    await farm.call('POST', '/scripts', { scripts: [{ sha256: digest, name: 'a' }] });
    const submitted = await carl.json<SubmittedBuild>('POST', '/api/v1/builds', scenario.submission);
    expect(await farm.atRest(submitted!.build.id)).toMatchObject({ state: 'succeeded' });
  });

  it('enrols an agent once with a token', async () => {
    const { token } = await farm.call<Enrolment>('POST', '/agents/enrolments', { name: 'spare' });
    const { facts } = (await farm.call<{ agents: { facts: object }[] }>('GET', '/agents')).agents[0]!;
    const enrol = (secret: string, name: string) =>
      farm.clientFor(null).json('POST', '/agent/v1/enrol', { token: secret, name, facts });
    expect(await outcome(enrol(token, 'spare'))).toBe('done');
    const again = await enrol(token, 'other').catch((error: unknown) => error);
    expect(again).toMatchObject({
      code: 'NOT_AUTHENTICATED',
      message: 'the enrolment token is used already',
    });
    expect(await outcome(enrol('dfe_0123456789012345678901234567890123456789', 'x'))).toBe(
      'NOT_AUTHENTICATED',
    );
    expect(await outcome(enrol(farm.adminToken, 'x'))).toBe('NOT_AUTHENTICATED');
    await farm.call('POST', '/agents/spare/revoke', {});
  });

  it("keeps people's tokens and agents' keys apart", async () => {
    const { token } = await farm.call<Enrolment>('POST', '/agents/enrolments', { name: 'keyed' });
    const { facts } = (await farm.call<{ agents: { facts: object }[] }>('GET', '/agents')).agents[0]!;
    const enrolled = await farm
      .clientFor(null)
      .json<{ key: string }>('POST', '/agent/v1/enrol', { token, name: 'keyed', facts });
    const claim = { instance: '0'.repeat(32) };
    expect(await outcome(farm.admin.json('POST', '/agent/v1/claim', claim))).toBe('NOT_AUTHENTICATED');
    const agent = farm.clientFor(enrolled!.key);
    expect(await outcome(agent.json('GET', '/api/v1/builds'))).toBe('NOT_AUTHENTICATED');
    expect(await outcome(agent.json('POST', '/agent/v1/claim', claim))).toBe('CONFLICT');
    await farm.call('POST', '/agents/keyed/revoke', {});
    expect(await outcome(agent.json('POST', '/agent/v1/claim', claim))).toBe('NOT_AUTHENTICATED');
  });
});
