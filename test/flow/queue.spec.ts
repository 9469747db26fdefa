// Needs redis-server and flock(1).
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { newId, type AgentId } from '#libs/contracts';
import {
  AgentInbox,
  checkRedis,
  DispatchQueue,
  FarmRedis,
  startPrivateRedis,
  Sweeps,
  Wakes,
  type InboxOptions,
  type Message,
  type PrivateRedis,
  type RedisConfig,
  type Sweep,
  type SweepsOptions,
} from '#libs/queue';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

jest.setTimeout(30_000);
const LONG_MS = 60_000;
let folder: string;
let server: PrivateRedis;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'queue-'));
  server = await startPrivateRedis(folder);
});
afterAll(async () => {
  const probe = new FarmRedis({ config: server.config, onError: () => undefined });
  await probe.untilUp(LONG_MS);
  // All that the tests opened is closed; the server takes a moment to see it.
  await eventually(async () => {
    const clients = await probe.run((commands) => commands.info('clients'));
    return clients.includes('connected_clients:1\r\n');
  });
  await probe.close();
  await server.stop();
  expect(() => process.kill(server.pid, 0)).toThrow('ESRCH');
  await rm(folder, { recursive: true });
});

/** What one coordinator process has. */
class Coordinator {
  readonly redis: FarmRedis;
  readonly wakes: Wakes;
  readonly dispatch: DispatchQueue;
  readonly inbox: AgentInbox;
  constructor(options: InboxOptions = {}) {
    const onError = () => undefined;
    this.redis = new FarmRedis({ config: server.config, onError });
    this.wakes = new Wakes(this.redis, onError);
    this.dispatch = new DispatchQueue(this.redis, this.wakes);
    this.inbox = new AgentInbox(this.redis, this.wakes, options);
  }
  async untilUp(): Promise<void> {
    await this.redis.untilUp(LONG_MS);
    await this.wakes.ready;
  }
  async close(): Promise<void> {
    await this.wakes.close();
    await this.redis.close();
  }
}

const coordinators: Coordinator[] = [];
async function coordinator(options: InboxOptions = {}): Promise<Coordinator> {
  const one = new Coordinator(options);
  coordinators.push(one);
  await one.untilUp();
  return one;
}
/** Nothing is asserted on time: what is waited for comes, or the test runs into its limit. */
async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((next) => setTimeout(next, 5));
}
const flush = (one: Coordinator) => one.redis.run((commands) => commands.flushall());
afterEach(async () => {
  await Promise.all(coordinators.splice(0).map((one) => one.close()));
});

let agent: AgentId;
let message: Message;
const never = new AbortController().signal;
beforeEach(() => {
  agent = newId('a');
  message = { attempt: newId('t'), epoch: 1 };
});

describe('delivery', () => {
  it('reaches the next claim of the agent, in whatever coordinator', async () => {
    const [one, other] = [await coordinator(), await coordinator()];
    await one.dispatch.deliver(agent, message);
    expect(await other.inbox.fetch(newId('a'), 'x')).toBeNull();
    expect(await other.inbox.claim(agent, 'x', LONG_MS, never)).toEqual(message);
    expect(await one.inbox.fetch(agent, 'y')).toBeNull();
  });

  it('wakes a claim that waits in another coordinator', async () => {
    const [one, other] = [await coordinator(), await coordinator()];
    const claim = other.inbox.claim(agent, 'x', LONG_MS, never);
    await one.dispatch.deliver(agent, message);
    expect(await claim).toEqual(message);
  });

  it('goes to one of several claims of the agent; the others go on waiting', async () => {
    const [one, other] = [await coordinator(), await coordinator()];
    const claims = [one, other, one, other].map(({ inbox }, n) => inbox.claim(agent, `${n}`, LONG_MS, never));
    const sent = [1, 2, 3, 4].map((epoch) => ({ ...message, epoch }));
    for (const each of sent) await one.dispatch.deliver(agent, each);
    const got = await Promise.all(claims);
    expect(got.map((each) => each?.epoch).sort()).toEqual([1, 2, 3, 4]);
  });

  it('leaves nothing behind of an agent that is forgotten', async () => {
    const { dispatch, inbox, redis } = await coordinator();
    await dispatch.deliver(agent, message);
    await dispatch.deliver(agent, { ...message, epoch: 2 });
    expect(await inbox.fetch(agent, 'x')).toEqual(message);
    expect(await inbox.forget(agent)).toBe(true);
    expect(await inbox.fetch(agent, 'y')).toBeNull();
    const keys = await redis.run((commands) => commands.keys(`*${agent}*`));
    expect(keys.filter((key) => !/:(meta|stalled-check|id)$/.test(key))).toEqual([]);
  });

  it('of the same message again is none: while it waits, is worked on, and when it has ended', async () => {
    const { dispatch, inbox } = await coordinator();
    await dispatch.deliver(agent, message);
    await dispatch.deliver(agent, message);
    expect(await inbox.fetch(agent, 'x')).toEqual(message);
    expect(await inbox.fetch(agent, 'y')).toBeNull();
    await dispatch.deliver(agent, message);
    expect(await inbox.fetch(agent, 'y')).toBeNull();
    expect(await inbox.finish(agent, message, 'x', true, 'done')).toBe(true);
    await dispatch.deliver(agent, message);
    expect(await inbox.fetch(agent, 'y')).toBeNull();
    await dispatch.deliver(agent, { ...message, epoch: 2 });
    expect(await inbox.fetch(agent, 'y')).toEqual({ ...message, epoch: 2 });
  });

  it('can be taken back until it is fetched', async () => {
    const { dispatch, inbox } = await coordinator();
    await dispatch.deliver(agent, message);
    expect(await dispatch.withdraw(agent, message)).toBe(true);
    expect(await dispatch.withdraw(agent, message)).toBe(true);
    expect(await inbox.fetch(agent, 'x')).toBeNull();
    await dispatch.deliver(agent, message);
    await inbox.fetch(agent, 'x');
    expect(await dispatch.withdraw(agent, message)).toBe(false);
    expect(await inbox.finish(agent, message, 'x', false, 'failed')).toBe(true);
  });
});

describe('a claim', () => {
  it('ends without a message after its time, or with its signal', async () => {
    const { inbox } = await coordinator();
    expect(await inbox.claim(agent, 'x', 30, never)).toBeNull();
    const abort = new AbortController();
    const claim = inbox.claim(agent, 'x', LONG_MS, abort.signal);
    abort.abort();
    expect(await claim).toBeNull();
  });

  it('puts a message back that came when nobody was there any more', async () => {
    const { dispatch, inbox } = await coordinator();
    await dispatch.deliver(agent, message);
    const abort = new AbortController();
    const claim = inbox.claim(agent, 'x', LONG_MS, abort.signal);
    abort.abort();
    expect(await claim).toBeNull();
    expect(await inbox.fetch(agent, 'y')).toEqual(message);
  });

  it('passes over what is no message of the farm', async () => {
    const { redis, dispatch, inbox } = await coordinator();
    const queue = redis.queue(`agent-${agent}`);
    await queue.add('x', { attempt: '../../etc', epoch: 1 }, { jobId: 'bad-1' });
    await queue.add('x', 'nonsense', { jobId: 'bad-2' });
    await dispatch.deliver(agent, message);
    expect(await inbox.fetch(agent, 'x')).toEqual(message);
    expect(await queue.getJobCounts('waiting', 'failed', 'active')).toEqual({
      waiting: 0,
      failed: 0,
      active: 1,
    });
  });
});

describe('a fetched message', () => {
  it('belongs to its token, in any coordinator: also after a restart', async () => {
    const first = await coordinator();
    await first.dispatch.deliver(agent, message);
    await first.inbox.fetch(agent, 'mine');
    await first.close();
    const second = await coordinator();
    expect(await second.inbox.extend(agent, message, 'other')).toBe(false);
    expect(await second.inbox.finish(agent, message, 'other', true, '')).toBe(false);
    expect(await second.inbox.release(agent, message, 'other')).toBe(false);
    expect(await second.inbox.extend(agent, message, 'mine')).toBe(true);
    expect(await second.inbox.finish(agent, message, 'mine', true, '')).toBe(true);
    expect(await second.inbox.finish(agent, message, 'mine', true, '')).toBe(false);
  });

  it('can be put back', async () => {
    const { dispatch, inbox } = await coordinator();
    await dispatch.deliver(agent, message);
    await inbox.fetch(agent, 'x');
    const waiting = inbox.claim(agent, 'y', LONG_MS, never);
    expect(await inbox.release(agent, message, 'x')).toBe(true);
    expect(await waiting).toEqual(message);
  });

  it('whose holder is gone is dropped, and can be delivered again', async () => {
    const { redis, dispatch, inbox } = await coordinator({ lockMs: 20, stalledCheckMs: 10 });
    await dispatch.deliver(agent, message);
    expect(await inbox.fetch(agent, 'x')).toEqual(message);
    // Found missing its lock at one look, dropped at a later one.
    const key = `{farm}:agent-${agent}:${message.attempt}-1`;
    while ((await redis.run((commands) => commands.exists(key))) === 1) {
      expect(await inbox.fetch(agent, 'y')).toBeNull();
    }
    await dispatch.deliver(agent, message);
    expect(await inbox.fetch(agent, 'y')).toEqual(message);
  });
});

describe('FLUSHALL', () => {
  it('loses what was delivered; it can be delivered again, and what was fetched is nobody’s', async () => {
    const one = await coordinator();
    const { dispatch, inbox } = one;
    const other = { ...message, epoch: 2 };
    await dispatch.deliver(agent, message);
    await dispatch.deliver(agent, other);
    await inbox.fetch(agent, 'x');
    const waiting = inbox.claim(newId('a'), 'y', 50, never);
    await flush(one);
    expect(await inbox.extend(agent, message, 'x')).toBe(false);
    expect(await inbox.finish(agent, message, 'x', true, '')).toBe(false);
    expect(await inbox.fetch(agent, 'x')).toBeNull();
    await dispatch.deliver(agent, other);
    expect(await inbox.fetch(agent, 'x')).toEqual(other);
    expect(await waiting).toBeNull();
  });
});

describe('while Redis is away', () => {
  // Each on a server of its own, which is killed.
  let home: string;
  let own: PrivateRedis;
  let main: PrivateRedis;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'queue-'));
    own = await startPrivateRedis(home);
    main = server;
    server = own;
  });
  afterEach(async () => {
    await Promise.all(coordinators.splice(0).map((one) => one.close()));
    await own.stop();
    server = main;
    await rm(home, { recursive: true });
  });

  async function kill(): Promise<void> {
    process.kill(own.pid, 'SIGKILL');
    await eventually(() => coordinators.every(({ redis }) => !redis.isUp));
  }
  async function restart(): Promise<void> {
    own = await startPrivateRedis(home);
    await Promise.all(coordinators.map(({ redis }) => redis.untilUp(LONG_MS)));
  }

  it('refuses at once what cannot be done, in words, and says false to what is only tidying', async () => {
    const { dispatch, inbox, wakes } = await coordinator();
    await kill();
    const refusal = {
      code: 'UNAVAILABLE',
      message: expect.stringContaining(`Redis at ${home}/redis.sock does not answer`),
    };
    await expect(dispatch.deliver(agent, message)).rejects.toMatchObject(refusal);
    await expect(inbox.fetch(agent, 'x')).rejects.toMatchObject(refusal);
    await expect(inbox.claim(agent, 'x', LONG_MS, never)).rejects.toMatchObject(refusal);
    expect(await inbox.extend(agent, message, 'x')).toBe(false);
    expect(await inbox.finish(agent, message, 'x', true, '')).toBe(false);
    expect(await dispatch.withdraw(agent, message)).toBe(false);
    const heard: string[] = [];
    wakes.subscribe('events', (text) => heard.push(text));
    expect(await wakes.publish('events', '7')).toBe(false);
    expect(heard).toEqual(['7']);
    await restart();
  });

  it('keeps what was delivered and what was fetched, when it comes back before the locks run out', async () => {
    const { dispatch, inbox } = await coordinator();
    const next = { ...message, epoch: 2 };
    await dispatch.deliver(agent, message);
    await dispatch.deliver(agent, next);
    expect(await inbox.fetch(agent, 'x')).toEqual(message);
    await kill();
    await restart();
    expect(await inbox.extend(agent, message, 'x')).toBe(true);
    expect(await inbox.finish(agent, message, 'x', true, '')).toBe(true);
    expect(await inbox.fetch(agent, 'x')).toEqual(next);
  });

  it('leaves fetched messages to nobody when it comes back later; they can be delivered again', async () => {
    const { redis, dispatch, inbox } = await coordinator({ lockMs: 50, stalledCheckMs: 10 });
    await dispatch.deliver(agent, message);
    expect(await inbox.fetch(agent, 'x')).toEqual(message);
    await kill();
    await restart();
    const key = `{farm}:agent-${agent}:${message.attempt}-1`;
    await eventually(async () => (await redis.run((commands) => commands.exists(`${key}:lock`))) === 0);
    expect(await inbox.extend(agent, message, 'x')).toBe(false);
    expect(await inbox.finish(agent, message, 'x', true, '')).toBe(false);
    await eventually(async () => {
      expect(await inbox.fetch(agent, 'y')).toBeNull();
      return (await redis.run((commands) => commands.exists(key))) === 0;
    });
    await dispatch.deliver(agent, message);
    expect(await inbox.fetch(agent, 'y')).toEqual(message);
  });

  it('tells whoever waits for a wake-up, once it is back, that some may have been missed', async () => {
    const [one, other] = [await coordinator(), await coordinator()];
    const heard: string[] = [];
    other.wakes.subscribe('agent:x', (text) => heard.push(text));
    const claim = other.inbox.claim(agent, 'x', LONG_MS, never);
    // Answered in order: after these, the claim has looked and waits.
    for (let n = 0; n < 5; n++) await other.redis.run((commands) => commands.ping());
    await kill();
    await restart();
    await eventually(() => heard.includes(''));
    expect(await one.wakes.publish('agent:x', 'hello')).toBe(true);
    await eventually(() => heard.includes('hello'));
    await one.dispatch.deliver(agent, message);
    expect(await claim).toEqual(message);
  });

  it('goes on sweeping once it is back', async () => {
    const { redis } = await coordinator();
    let turns = 0;
    const errors: unknown[] = [];
    const sweep: Sweep = {
      name: 's',
      everyMs: 20,
      run: () => {
        turns++;
        return Promise.resolve();
      },
    };
    const sweeps = new Sweeps(redis, [sweep], { onError: (error) => errors.push(error), checkMs: 20 });
    await sweeps.start();
    await eventually(() => turns > 2);
    await kill();
    await restart();
    const before = turns;
    await eventually(() => turns > before + 2);
    await sweeps.close();
  });

  it('ends its sweeps and connections all the same', async () => {
    const { redis } = await coordinator();
    const sweeps = new Sweeps(redis, [{ name: 's', everyMs: 20, run: () => Promise.resolve() }], {
      onError: () => undefined,
    });
    await sweeps.start();
    await kill();
    await sweeps.close();
    await restart();
  });
});

describe('Wakes', () => {
  it('reach those who subscribed to the channel, in all coordinators', async () => {
    const [one, other] = [await coordinator(), await coordinator()];
    const heard: string[] = [];
    const stop = one.wakes.subscribe('events', (text) => heard.push(`one ${text}`));
    other.wakes.subscribe('events', (text) => heard.push(`other ${text}`));
    other.wakes.subscribe('agent:a', (text) => heard.push(`never ${text}`));
    expect(await one.wakes.publish('events', '7 8')).toBe(true);
    await eventually(() => heard.length === 2);
    expect(heard.sort()).toEqual(['one 7 8', 'other 7 8']);
    stop();
    await other.wakes.publish('events', '9');
    await eventually(() => heard.includes('other 9'));
    expect(heard).not.toContain('one 9');
  });

  it('reach the others when one throws', async () => {
    const { wakes } = await coordinator();
    const heard: string[] = [];
    wakes.subscribe('events', () => {
      throw new Error('x');
    });
    wakes.subscribe('events', (text) => heard.push(text));
    await wakes.publish('events', '1');
    await eventually(() => heard.length === 1);
  });
});

describe('Sweeps', () => {
  const open: Sweeps[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((sweeps) => sweeps.close()));
  });
  async function begin(sweeps: readonly Sweep[], options: Partial<SweepsOptions> = {}): Promise<void> {
    const { redis } = await coordinator();
    const one = new Sweeps(redis, sweeps, { onError: () => undefined, checkMs: 20, ...options });
    open.push(one);
    await one.start();
  }
  const counting = (name: string, everyMs = 20) => {
    const sweep = {
      name,
      everyMs,
      turns: 0,
      run: () => {
        sweep.turns++;
        return Promise.resolve();
      },
    };
    return sweep;
  };

  it('come round; one that throws is told, and stops neither itself nor the others', async () => {
    const good = counting('good');
    const errors: [string, string | null][] = [];
    const bad: Sweep = { name: 'bad', everyMs: 20, run: () => Promise.reject(new Error('boom')) };
    await begin([bad, good], { onError: (error, sweep) => errors.push([error.message, sweep]) });
    await eventually(() => good.turns > 2 && errors.length > 2);
    expect(errors).toContainEqual(['boom', 'bad']);
  });

  it('run on one coordinator at a time, however long they take', async () => {
    let [running, most, turns] = [0, 0, 0];
    const run = async () => {
      most = Math.max(most, ++running);
      await new Promise((done) => setTimeout(done, 50));
      running--;
      turns++;
    };
    for (let n = 0; n < 3; n++) await begin([{ name: 'long', everyMs: 10, run }]);
    await eventually(() => turns > 3);
    expect(most).toBe(1);
  });

  it('do not wait for one that takes long', async () => {
    const quick = counting('quick');
    const long: Sweep = {
      name: 'long',
      everyMs: 10,
      run: async (signal) => {
        await once(signal, 'abort');
      },
    };
    await begin([long, quick]);
    await eventually(() => quick.turns > 3);
  });

  it('come back after FLUSHALL; one that runs is told that it may not be alone', async () => {
    const quick = counting('quick');
    let lost = 0;
    const long: Sweep = {
      name: 'long',
      everyMs: 20,
      run: async (signal) => {
        await once(signal, 'abort');
        lost++;
      },
    };
    await begin([quick, long], { lockMs: 60 });
    await eventually(() => quick.turns > 1);
    await flush(coordinators[0]!);
    const before = quick.turns;
    await eventually(() => quick.turns > before + 2 && lost > 0);
  });

  it('of an older version are forgotten', async () => {
    const [old, kept] = [counting('old'), counting('kept')];
    await begin([old, kept]);
    await eventually(() => old.turns > 0);
    await open.pop()?.close();
    await begin([kept]);
    const { redis } = coordinators[0]!;
    await eventually(async () => {
      const planned = await redis.run(() => redis.queue('house').getJobSchedulers());
      return planned.map(({ key }) => key).join() === 'kept';
    });
  });

  it('that do not come round are begun anew', async () => {
    const sweep = counting('s');
    const errors: string[] = [];
    await begin([sweep], { onError: (error) => errors.push(error.message) });
    await eventually(() => sweep.turns > 1);
    // Its next turn is taken out of the queue behind its back.
    const { redis } = coordinators[0]!;
    const key = `${redis.prefix}:house`;
    await redis.run((commands) => commands.del(`${key}:delayed`, `${key}:wait`, `${key}:marker`));
    const before = sweep.turns;
    await eventually(() => sweep.turns > before + 2);
  });

  it('have names of their own', async () => {
    const { redis } = await coordinator();
    expect(() => new Sweeps(redis, [counting('a'), counting('a')], { onError: () => undefined })).toThrow(
      'same name',
    );
  });
});

describe('checkRedis', () => {
  let child: ChildProcess | null = null;
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'queue-'));
  });
  afterEach(async () => {
    await end();
    await rm(home, { recursive: true });
  });
  async function end(): Promise<void> {
    if (child?.exitCode === null && child.kill()) await once(child, 'exit');
    child = null;
  }

  async function problemsOf(
    settings: readonly string[],
    throwAway = false,
    user = '',
  ): Promise<readonly string[]> {
    const path = join(home, 'r.sock');
    const port = user === '' ? '0' : await freePort();
    const listen = ['--bind', '127.0.0.1', '--port', port, '--unixsocket', path, '--dir', home];
    child = spawn('redis-server', [...listen, ...settings], { stdio: 'ignore' });
    const config: RedisConfig =
      user === '' ? { kind: 'socket', path } : { kind: 'url', url: `redis://${user}@127.0.0.1:${port}` };
    const redis = new FarmRedis({ config, onError: () => undefined });
    try {
      await redis.untilUp(LONG_MS);
      const problems = await checkRedis(redis, { throwAway });
      return problems
        .map(({ severity, text }) => `${severity}: ${text}`)
        .filter((text) => !text.includes('CVE'));
    } finally {
      await redis.close();
    }
  }
  async function freePort(): Promise<string> {
    const probe = createServer();
    await new Promise<void>((listening) => probe.listen(0, '127.0.0.1', listening));
    const { port } = probe.address() as AddressInfo;
    await new Promise((closed) => probe.close(closed));
    return `${port}`;
  }
  const good = ['--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction'];

  it('finds nothing wrong with a server of our own', async () => {
    const { redis } = await coordinator();
    const problems = await checkRedis(redis, { throwAway: false });
    expect(problems.filter(({ severity }) => severity === 'refuse')).toEqual([]);
  });

  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['the settings of the manual', good, []],
    ['snapshots instead of the append-only file', ['--save', '60 1'], []],
    [
      'a server that drops keys',
      [...good, '--maxmemory-policy', 'allkeys-lru'],
      [
        'refuse: Redis drops keys when its memory is full (maxmemory-policy allkeys-lru): set maxmemory-policy noeviction.',
      ],
    ],
    [
      'a server that keeps nothing',
      ['--save', '', '--appendonly', 'no'],
      ['refuse: Redis keeps nothing on disk: set appendonly yes, with appendfsync everysec.'],
    ],
    [
      'a replica',
      [...good, '--replicaof', '127.0.0.1 1'],
      ['refuse: Redis is a replica: give the address of its master.'],
    ],
  ];
  for (const [what, settings, problems] of cases) {
    it(`judges ${what}`, async () => expect(await problemsOf(settings)).toEqual(problems));
  }

  it('asks nothing of the disk when all may be lost', async () => {
    expect(await problemsOf(['--save', '', '--appendonly', 'no'], true)).toEqual([]);
  });

  it('judges by INFO where the user may not read the configuration', async () => {
    const acl = [
      '--user',
      ...'farm on >secret ~{farm}:* &{farm}:* +@all -@dangerous -@admin +info'.split(' '),
    ];
    expect(
      await problemsOf([...good, '--maxmemory-policy', 'allkeys-lru', ...acl], false, 'farm:secret'),
    ).toEqual([expect.stringContaining('maxmemory-policy allkeys-lru')]);
    await end();
    expect(await problemsOf(['--save', '', ...acl], false, 'farm:secret')).toEqual([
      'warn: Redis keeps no append-only file, and whether it saves snapshots its user may not see: set appendonly yes.',
    ]);
  });
});

describe('startPrivateRedis', () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'queue-'));
  });
  afterEach(async () => rm(home, { recursive: true }));

  it('starts one server however often it is asked, also at the same moment', async () => {
    const servers = await Promise.all([1, 2, 3].map(() => startPrivateRedis(join(home, 'redis'))));
    const later = await startPrivateRedis(join(home, 'redis'));
    expect(new Set([...servers, later].map(({ pid }) => pid)).size).toBe(1);
    expect((await stat(join(home, 'redis'))).mode & 0o777).toBe(0o700);
    expect(await readFile(join(home, 'redis/redis.pid'), 'utf8')).toBe(`${later.pid}\n`);
    await later.stop();
    await later.stop();
    expect(() => process.kill(later.pid, 0)).toThrow('ESRCH');
  });

  it('keeps its data over a stop', async () => {
    const first = await startPrivateRedis(home);
    const redis = new FarmRedis({ config: first.config, onError: () => undefined });
    await redis.untilUp(LONG_MS);
    await redis.run((commands) => commands.set('k', 'v'));
    await first.stop();
    const second = await startPrivateRedis(home);
    await redis.untilUp(LONG_MS);
    expect(await redis.run((commands) => commands.get('k'))).toBe('v');
    await redis.close();
    await second.stop();
  });

  it('refuses a path that no socket can have, in words', async () => {
    await expect(startPrivateRedis(join(home, 'x'.repeat(100)))).rejects.toMatchObject({
      code: 'PRIVATE_REDIS_FAILED',
      hint: 'Choose a folder with a shorter path.',
    });
  });
});
