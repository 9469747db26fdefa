import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { FaultyProxy } from './faulty-proxy.js';

const HOST = '127.0.0.1';

describe('a faulty proxy', () => {
  let echo: Server;
  let proxy: FaultyProxy;
  let pieces: number[];
  beforeEach(async () => {
    pieces = [];
    echo = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        pieces.push(bytes.length);
        socket.write(bytes);
      });
      socket.on('end', () => socket.end());
    });
    echo.listen({ host: HOST, port: 0 });
    await once(echo, 'listening');
    proxy = await FaultyProxy.open(
      { host: HOST, port: 0 },
      { host: HOST, port: (echo.address() as AddressInfo).port },
    );
  });
  afterEach(async () => {
    await proxy.close();
    await new Promise((resolve) => echo.close(resolve));
  });

  function call(): {
    readonly socket: Socket;
    readonly answer: () => string;
    readonly closed: Promise<string>;
  } {
    let answer = '';
    const socket = connect({ host: HOST, port: proxy.port });
    socket.on('data', (bytes: Buffer) => (answer += bytes.toString()));
    const closed = new Promise<string>((resolve) => {
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
      socket.once('close', () => resolve('closed'));
    });
    return { socket, answer: () => answer, closed };
  }

  async function until(holds: () => boolean): Promise<void> {
    while (!holds()) await sleep(5);
  }

  it('passes on what is said, and its end', async () => {
    const { socket, answer, closed } = call();
    socket.end('hello');
    expect(await closed).toBe('closed');
    expect(answer()).toBe('hello');
    await until(() => proxy.connections === 0);
  });

  it('resets connections, and passes on the next', async () => {
    const { socket, answer, closed } = call();
    socket.write('hello');
    await until(() => answer() === 'hello');
    proxy.reset();
    expect(await closed).toBe('ECONNRESET');
    const next = call();
    next.socket.end('again');
    expect(await next.closed).toBe('closed');
    expect(next.answer()).toBe('again');
  });

  it('cuts an answer after a number of bytes', async () => {
    proxy.cuts.push(3);
    const { socket, answer, closed } = call();
    socket.write('hello');
    await closed;
    expect('hel'.startsWith(answer())).toBe(true);
  });

  it('says nothing while it is stalled, and goes on where it was', async () => {
    const { socket, answer } = call();
    socket.write('one ');
    await until(() => answer() === 'one ');
    proxy.stalled = { there: true, back: true };
    socket.write('two');
    await sleep(50);
    expect([answer(), socket.readyState]).toEqual(['one ', 'open']);
    proxy.mend();
    await until(() => answer() === 'one two');
    socket.destroy();
  });

  it('is deaf on one side only', async () => {
    const { socket, answer } = call();
    socket.write('one ');
    await until(() => answer() === 'one ');
    proxy.stalled = { there: false, back: true };
    socket.write('two');
    await until(() => pieces.length === 2);
    await sleep(50);
    expect(answer()).toBe('one ');
    proxy.mend();
    await until(() => answer() === 'one two');
    socket.destroy();
  });

  it('gets one bit wrong', async () => {
    proxy.flips.push(1);
    const { socket, answer, closed } = call();
    socket.end('hello');
    await closed;
    expect(answer()).toBe('hdllo');
  });

  it('cuts what is said into slices, in order', async () => {
    proxy.sliceBytes = 1;
    proxy.delayMs = 1;
    const { socket, answer, closed } = call();
    const text = 'abc'.repeat(200);
    socket.end(text);
    await closed;
    expect(answer()).toBe(text);
    expect(pieces.length).toBeGreaterThan(1);
  });
});
