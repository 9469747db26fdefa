// Needs redis-server, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { cp, readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import {
  ATTEMPT_TOKEN_HEADER,
  EPOCH_HEADER,
  MAX_SUBMISSION_BYTES,
  type AttemptId,
  type BuildPage,
  type FarmErrorBody,
} from '#libs/contracts';
import { ApiError, type HttpClient } from '#libs/http-client';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

const OPEN_VARIANTS = 40;
const DEAF = 50;

describe('bad input to a farm', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start({
      database: 'sqlite',
      agents: 1,
      leaseSeconds: 10,
      env: { DISTROFARM_OPEN_VARIANTS_PER_USER: String(OPEN_VARIANTS) },
    });
  });
  afterAll(() => farm.stop());

  async function refusal(
    call: Promise<unknown>,
  ): Promise<Pick<ApiError, 'code' | 'status' | 'message' | 'problems'>> {
    const error = await call.then(
      (answer) => new Error(`done: ${JSON.stringify(answer)}`),
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof ApiError)) throw error;
    const { code, status, message, problems } = error;
    return { code, status, message, problems };
  }

  const submit = (change: object): Promise<unknown> =>
    farm.call('POST', '/builds', { ...farm.scenario([{ name: 'a' }]).submission, ...change });

  it('a manifest that is a bomb is refused in a sentence', async () => {
    const { manifest } = farm.scenario([{ name: 'a' }]);
    const deep = `<distribution name="x">${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}</distribution>`;
    const laughs = `<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]>${manifest.replace('<?xml version="1.0"?>', '')}`;
    for (const [bomb, said] of [
      [deep, /deep|depth|nest/i],
      [laughs, /DOCTYPE/],
      [manifest.replace('correct horse', '&bomb;'), /entit|&bomb;/i],
      ['', /./],
    ] as const) {
      const { code, problems } = await refusal(submit({ manifest: bomb }));
      expect([code, problems.join('\n')]).toEqual(['MANIFEST_INVALID', expect.stringMatching(said)]);
    }
  });

  it('a body that is too large, not JSON, or not of the form is refused', async () => {
    const large = Buffer.alloc(MAX_SUBMISSION_BYTES + 1024, 0x20);
    expect(await rawPost(farm, '/api/v1/builds', large)).toMatchObject({
      status: 413,
      body: { code: 'TOO_LARGE' },
    });
    expect(await rawPost(farm, '/api/v1/builds', Buffer.from('{"manifest": '))).toMatchObject({
      status: 400,
      body: { code: 'INVALID' },
    });
    expect(await refusal(submit({ surprise: 1, files: [{ path: 'x' }] }))).toMatchObject({
      code: 'INVALID',
      problems: expect.arrayContaining([expect.stringContaining('surprise')]),
    });
    const proto = Buffer.from('{"__proto__": {"role": "admin"}, "constructor": {"prototype": {}}}');
    expect(await rawPost(farm, '/api/v1/builds', proto)).toMatchObject({ status: 400 });
  });

  it('a path that leads out of its place is refused', async () => {
    const file = { executable: true, base64: '' };
    for (const path of ['../a.sh', '/etc/passwd', 'a/../../b', 'a//b', 'a\u0000b', 'a\nb', ''])
      expect(await refusal(submit({ files: [{ ...file, path }] }))).toMatchObject({ code: 'INVALID' });
    expect(await refusal(submit({ manifestPath: '../m.xml' }))).toMatchObject({ code: 'INVALID' });
    const { manifest } = farm.scenario([{ name: 'a' }]);
    for (const script of ['/bin/true', '../../../../bin/true'])
      expect(await refusal(submit({ manifest: manifest.replace('steps/a.sh', script) }))).toMatchObject({
        code: 'MANIFEST_INVALID',
      });
    const both = [
      { ...file, path: 'steps' },
      { ...file, path: 'steps/a.sh' },
    ];
    expect(await refusal(submit({ files: both }))).toMatchObject({ code: 'INVALID' });
    const id = await farm.submit(farm.scenario([{ name: 'a', body: 'echo x > "$5/x"' }]));
    await farm.atRest(id);
    for (const name of ['..%2f..%2fadmin-token', '%2e%2e/%2e%2e/farm.db', 'x%00', '..%5cx']) {
      const { status } = await refusal(farm.bytes(`/builds/${id}/artifacts/default/${name}`));
      expect(status).toBe(404);
    }
  });

  it('a name of an artifact that could not be a path is left out with a warning', async () => {
    const id = await farm.submit(
      farm.scenario([
        {
          name: 'a',
          body: `echo x > "$5/$(printf 'new\\nline')"; echo y > "$5/y"; ln -s /etc/shadow "$5/link"`,
        },
      ]),
    );
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    expect((await farm.artifacts(id)).map(({ name }) => name)).toEqual(['y']);
    const warning = farm.events.of(id).find(({ type }) => type === 'warning');
    expect(warning?.data['text']).toContain('"new\\nline"');
  });

  it('reports under a token or an epoch that is not the attempt’s change nothing', async () => {
    const scenario = farm.scenario([{ name: 'a', body: 'hold a' }]);
    const id = await farm.submit(scenario);
    await scenario.reached('a');
    const { agent, attempt, token } = await attemptOf(farm, id);
    const reports = { reports: [{ seq: 1, at: 1, event: { type: 'phase', phase: 'running' } }] };
    const report = (client: HttpClient, epoch: number, secret: string): Promise<unknown> =>
      client.json('POST', `/agent/v1/attempts/${attempt}/reports`, reports, {
        headers: { [EPOCH_HEADER]: String(epoch), [ATTEMPT_TOKEN_HEADER]: secret },
      });
    expect(await refusal(report(agent, 1, `dft_${'0'.repeat(43)}`))).toMatchObject({ code: 'FORBIDDEN' });
    expect(await refusal(report(agent, 2, token))).toMatchObject({ code: 'STALE_EPOCH' });
    expect(await refusal(report(farm.admin, 1, token))).toMatchObject({ code: 'NOT_AUTHENTICATED' });
    const missing = agent.json('POST', `/agent/v1/attempts/${attempt}/reports`, reports);
    expect(await refusal(missing)).toMatchObject({ code: 'INVALID' });

    // The agent falls silent, its lease runs out, and another attempt begins: what it still has to tell is too late.
    const pid = farm.agents[0]!.pid;
    process.kill(pid, 'SIGSTOP');
    await farm.events.until(({ type, build }) => type === 'job-retried' && build === id);
    process.kill(pid, 'SIGCONT');
    const late = { reports: [{ seq: 100, at: 1, event: { type: 'phase', phase: 'publishing' } }] };
    const stale = agent.json('POST', `/agent/v1/attempts/${attempt}/reports`, late, {
      headers: { [EPOCH_HEADER]: '1', [ATTEMPT_TOKEN_HEADER]: token },
    });
    expect(await refusal(stale)).toMatchObject({ code: 'STALE_EPOCH', status: 409 });
    await farm.events.until(({ type, attempt: about }) => type === 'stale-report' && about === attempt);
    await scenario.open('a');
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    const end = (await farm.build(id)).jobs[0]!.attempts[0]!.end;
    expect(end).toMatchObject({ kind: 'infrastructure', fault: 'lost' });
    expect(await scenario.finished()).toHaveLength(1);
  });

  it('of two agents with one key the older one stops', async () => {
    const older = farm.agents[0]!;
    const state = join(farm.folder, 'copied-state');
    await cp(join(farm.agentFolder(0), 'state'), state, { recursive: true });
    const newer = farm.copyOfAgent(0, state);
    const known = farm.events.lastSeq;
    newer.start();
    await farm.events.until(({ type }) => type === 'agent-connected', known);
    expect(await older.ended()).toBe(1);
    expect(older.output).toContain('another process runs with the key of this agent');
    const scenario = farm.scenario([{ name: 'a' }]);
    expect(await farm.atRest(await farm.submit(scenario))).toMatchObject({ state: 'succeeded' });
    await newer.kill9();
    await farm.startAgent();
  });

  it('more submissions at once than a user may have are refused one by one, and none is lost', async () => {
    const held = farm.scenario([{ name: 'a', body: 'hold a' }]);
    await farm.submit(held);
    await held.reached('a');
    const secret = await farm.token({ user: 'eve', role: 'submitter', rights: ['scripts'] });
    const eve = farm.clientFor(secret);
    const body = farm.scenario([{ name: 'a', body: 'true' }]).submission;
    const answers = await Promise.allSettled(
      Array.from({ length: 300 }, () => eve.json<{ build: { id: string } }>('POST', '/api/v1/builds', body)),
    );
    const taken = answers.flatMap((answer) =>
      answer.status === 'fulfilled' ? [answer.value!.build.id] : [],
    );
    const refused = answers.flatMap((answer) =>
      answer.status === 'rejected' ? [answer.reason as ApiError] : [],
    );
    expect(taken).toHaveLength(OPEN_VARIANTS);
    for (const error of refused) expect(error).toMatchObject({ code: 'TOO_MANY', status: 429 });
    const listed = await farm.call<BuildPage>('GET', '/builds?user=eve&limit=1000');
    expect(listed.builds.map(({ id }) => id).toSorted()).toEqual(taken.toSorted());
    await Promise.all(taken.map((id) => farm.cancel(id)));
    await held.open('a');
  });

  it('clients that never read their stream do no harm', async () => {
    const coordinator = farm.coordinators[0]!.pid;
    const before = await residentMegabytes(coordinator);
    const deaf = Array.from({ length: DEAF }, () => {
      const socket = createConnection({ port: Number(new URL(farm.url).port), host: '127.0.0.1' });
      socket.pause();
      socket.write(
        `GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: Bearer ${farm.adminToken}\r\n\r\n`,
      );
      return socket;
    });
    const known = farm.events.lastSeq;
    const why = 'w'.repeat(500);
    for (let round = 0; round < 20; round += 1)
      await Promise.all(Array.from({ length: 50 }, () => farm.call('POST', '/agents/agent0/drain', { why })));
    await farm.events.until(({ seq }) => seq >= known + 1000);
    expect((await residentMegabytes(coordinator)) - before).toBeLessThan(200);
    expect(await farm.call('GET', '/health')).toMatchObject({ status: 'ok' });
    for (const socket of deaf) socket.destroy();
    await farm.call('POST', '/agents/agent0/undrain');
  });

  it('wrong secrets are counted, and after many of them nobody is told more', async () => {
    const guess = farm.clientFor('dfu_0000000000000000000000000000000000000000');
    const codes = new Set<string>();
    for (let round = 0; round < 70; round += 1)
      codes.add((await refusal(guess.json('GET', '/api/v1/whoami'))).code);
    expect([...codes]).toEqual(['NOT_AUTHENTICATED', 'TOO_MANY']);
    expect(await farm.call('GET', '/whoami')).toMatchObject({ user: 'admin' });
  });
});

/** The running attempt of a build, as the agent knows it: its key and its token are in its folder. */
async function attemptOf(
  farm: TestFarm,
  build: string,
): Promise<{ readonly agent: HttpClient; readonly attempt: AttemptId; readonly token: string }> {
  const attempt = (await farm.build(build)).jobs[0]!.attempts[0]!.id;
  const state = join(farm.agentFolder(0), 'state');
  const { key } = JSON.parse(await readFile(join(state, 'identity.json'), 'utf8')) as { key: string };
  const spooled = await readFile(join(state, 'spool', attempt, 'attempt.json'), 'utf8');
  const { token } = JSON.parse(spooled) as { token: string };
  return { agent: farm.clientFor(key), attempt, token };
}

async function rawPost(
  farm: TestFarm,
  path: string,
  bytes: Buffer,
): Promise<{ readonly status: number; readonly body: FarmErrorBody }> {
  return await new Promise((resolve, reject) => {
    const call = request(`${farm.url}${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': bytes.length,
        authorization: `Bearer ${farm.adminToken}`,
      },
    });
    call.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as FarmErrorBody }),
      );
    });
    // What is still being sent when the answer has come breaks off.
    call.on('error', reject);
    call.end(bytes);
  });
}

async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
