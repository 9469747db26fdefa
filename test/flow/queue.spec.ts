// Needs redis-server and flock(1).
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { newId, type AgentId } from '#libs/contracts';
import {
  AgentInbox,
  DispatchQueue,
  FarmRedis,
  startPrivateRedis,
  Wakes,
  type InboxOptions,
  type Message,
  type PrivateRedis,
} from '#libs/queue';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LONG_MS = 60_000;
let folder: string;
let server: PrivateRedis;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'queue-'));
  server = await startPrivateRedis(folder);
});
afterAll(async () => {
  await server.stop();
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
  close(): void {
    this.wakes.close();
    this.redis.close();
  }
}

const coordinators: Coordinator[] = [];
async function coordinator(options: InboxOptions = {}): Promise<Coordinator> {
  const one = new Coordinator(options);
  coordinators.push(one);
  await one.untilUp();
  return one;
}
const flush = (one: Coordinator) => one.redis.run((commands) => commands.flushall());
afterEach(() => coordinators.splice(0).forEach((one) => one.close()));

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
    first.close();
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
    const { dispatch, inbox } = await coordinator({ lockMs: 20, stalledCheckMs: 10 });
    await dispatch.deliver(agent, message);
    expect(await inbox.fetch(agent, 'x')).toEqual(message);
    // BullMQ marks first and moves at the next look.
    const { commands: state } = { commands: () => inbox.fetch(agent, 'y') };
    let extended = true;
    while (extended) {
      expect(await state()).toBeNull();
      extended = !(await isDropped());
    }
    await dispatch.deliver(agent, message);
    expect(await inbox.fetch(agent, 'y')).toEqual(message);

    async function isDropped(): Promise<boolean> {
      const key = `{farm}:agent-${agent}:${message.attempt}-1`;
      return (await coordinators[0]!.redis.run((commands) => commands.exists(key))) === 0;
    }
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
