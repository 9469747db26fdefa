import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { ApiError } from './api-error.js';
import { HttpClient, type HttpClientOptions } from './http-client.js';
import { Unreachable } from './unreachable.js';

let answer: RequestListener;
let server: Server;
let url: string;
let seen: IncomingMessage[];
const clients: HttpClient[] = [];

beforeEach(async () => {
  seen = [];
  server = createServer((request, response) => {
    seen.push(request);
    answer(request, response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  clients.splice(0).forEach((client) => client.close());
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

function client(options: Partial<HttpClientOptions> = {}): HttpClient {
  const made = new HttpClient({ url, secret: 'dfu_x', ca: null, ...options });
  clients.push(made);
  return made;
}
const fails = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => {
      throw new Error('expected a failure');
    },
    (error: unknown) => error,
  );
/** Answers with what is made of the request and its whole text. */
const answerText =
  (make: (request: IncomingMessage, body: string) => unknown): RequestListener =>
  (request, response) =>
    void text(request).then((body) => response.end(JSON.stringify(make(request, body))));

describe('HttpClient.json', () => {
  it('sends JSON with the secret, and reads JSON', async () => {
    answer = answerText((request, body) => ({ got: body, as: request.headers.authorization }));
    expect(await client().json('POST', '/a?b=c', { x: 'ä' })).toEqual({
      got: '{"x":"ä"}',
      as: 'Bearer dfu_x',
    });
    expect(seen[0]?.url).toBe('/a?b=c');
    expect(seen[0]?.headers['content-type']).toBe('application/json');
  });

  it('has no secret and no body to send where there is none', async () => {
    answer = (_, response) => response.writeHead(204).end();
    expect(await client({ secret: null }).json('GET', '/')).toBeNull();
    expect(seen[0]?.headers).not.toHaveProperty('authorization');
    expect(seen[0]?.headers).not.toHaveProperty('content-type');
  });

  it('keeps the path of its address in front', async () => {
    answer = (_, response) => response.end('{}');
    await client({ url: `${url}/farm/` }).json('GET', '/api/v1/health');
    expect(seen[0]?.url).toBe('/farm/api/v1/health');
  });

  it('keeps its connection', async () => {
    answer = (_, response) => response.end('{}');
    const one = client();
    await one.json('GET', '/1');
    await one.json('GET', '/2');
    expect(seen[1]?.socket).toBe(seen[0]?.socket);
  });

  it('speaks over a unix socket', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'http-client-'));
    const path = join(folder, 'c.sock');
    const local = createServer((_, response) => response.end('{"over":"socket"}'));
    await new Promise<void>((listening) => local.listen(path, listening));
    expect(await client({ url: `unix:${path}` }).json('GET', '/')).toEqual({ over: 'socket' });
    local.closeAllConnections();
    await new Promise((closed) => local.close(closed));
    await rm(folder, { recursive: true });
  });

  it('throws the refusal that the body has', async () => {
    const body = { code: 'WRONG_OFFSET', message: 'at 5', hint: 'go on there', problems: ['a'], bytes: 5 };
    answer = (_, response) => response.writeHead(409).end(JSON.stringify(body));
    const error = await fails(client().json('GET', '/'));
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      code: 'WRONG_OFFSET',
      hint: 'go on there',
      problems: ['a'],
      status: 409,
      body,
    });
    expect((error as ApiError).message).toBe('at 5');
  });

  const unexpected = [
    ['a page of a proxy', 502, '<html>Bad\u001b[31m gateway', /status 502: <html>Bad \[31m gateway$/],
    ['no body', 404, '', /status 404$/],
    ['other JSON', 500, '{"statusCode":500,"message":"oops"}', /status 500: \{"statusCode"/],
    ['a page where JSON was expected', 200, '<html>', /status 200: <html>/],
    ['only the beginning of a long body', 500, 'x'.repeat(1000), /status 500: x{200}$/],
  ] as const;
  for (const [what, status, body, message] of unexpected) {
    it(`says what it got: ${what}`, async () => {
      answer = (_, response) => response.writeHead(status).end(body);
      const error = await fails(client().json('GET', '/'));
      expect(error).toMatchObject({ name: 'ApiError', code: 'UNEXPECTED', status });
      expect((error as Error).message).toMatch(message);
    });
  }

  it('follows no redirect, and says where it points', async () => {
    answer = (_, response) => response.writeHead(308, { location: 'https://farm.example/' }).end();
    expect(await fails(client().json('GET', '/'))).toMatchObject({
      code: 'UNEXPECTED',
      hint: 'It points to "https://farm.example/": use that address.',
    });
  });

  it('refuses a body without end', async () => {
    answer = (_, response) => {
      Readable.from(
        (function* () {
          for (;;) yield Buffer.alloc(1024 * 1024);
        })(),
      ).pipe(response);
    };
    expect(await fails(client().json('GET', '/'))).toMatchObject({ code: 'UNEXPECTED' });
  });
});

describe('HttpClient, when nobody is there', () => {
  it('says that the connection was refused', async () => {
    const closed = createTcpServer();
    await new Promise<void>((listening) => closed.listen(0, '127.0.0.1', listening));
    const { port } = closed.address() as AddressInfo;
    await new Promise((done) => closed.close(done));
    const error = await fails(client({ url: `http://127.0.0.1:${port}` }).json('GET', '/'));
    expect(error).toBeInstanceOf(Unreachable);
    expect(error).toMatchObject({
      code: 'UNREACHABLE',
      message: `cannot reach http://127.0.0.1:${port}: connection refused`,
    });
  });

  it('names a socket that is not there', async () => {
    expect(await fails(client({ url: 'unix:/nowhere/c.sock' }).json('GET', '/'))).toMatchObject({
      message: 'cannot reach unix:/nowhere/c.sock: there is no such socket',
    });
  });

  it('says that the answer did not come in time', async () => {
    answer = () => undefined;
    expect(await fails(client({ timeoutMs: 30 }).json('GET', '/'))).toMatchObject({
      code: 'UNREACHABLE',
      message: `cannot reach ${url}: nothing came for 0.03 s`,
    });
  });

  it('says so too when the answer stops half-way', async () => {
    answer = (_, response) => void response.write('{"a":');
    expect(await fails(client({ timeoutMs: 50 }).json('GET', '/'))).toMatchObject({
      message: `cannot reach ${url}: nothing came for 0.05 s`,
    });
  });

  it('says that the connection broke', async () => {
    answer = (request) => request.socket.destroy();
    expect(await fails(client().json('GET', '/'))).toMatchObject({ code: 'UNREACHABLE' });
  });

  it('says that the other side does not speak TLS, or HTTP', async () => {
    const tls = url.replace('http:', 'https:');
    expect(await fails(client({ url: tls }).json('GET', '/'))).toMatchObject({
      message: `cannot reach ${tls}: it does not speak TLS`,
    });
    const other = createTcpServer((socket) =>
      socket
        .on('error', () => undefined)
        .resume()
        .end('SSH-2.0-OpenSSH\r\n'),
    );
    await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening));
    const { port } = other.address() as AddressInfo;
    expect(await fails(client({ url: `http://127.0.0.1:${port}` }).json('GET', '/'))).toMatchObject({
      message: `cannot reach http://127.0.0.1:${port}: it does not speak HTTP`,
    });
    await new Promise((done) => other.close(done));
  });

  it('throws the reason of the signal, before and in the middle of a call', async () => {
    const reason = new Error('enough');
    expect(await fails(client().json('GET', '/', undefined, { signal: AbortSignal.abort(reason) }))).toBe(
      reason,
    );
    const abort = new AbortController();
    answer = () => abort.abort(reason);
    expect(await fails(client().json('GET', '/', undefined, { signal: abort.signal }))).toBe(reason);
  });

  for (const wrong of ['ftp://x/', 'unix:c.sock', 'farm', 'https://me:pw@farm/']) {
    it(`takes no address like ${wrong}`, () => expect(() => client({ url: wrong })).toThrow('expected an'));
  }
});

describe('HttpClient.send', () => {
  it('sends bytes, from memory or from a stream', async () => {
    answer = answerText((request, body) => ({ length: request.headers['content-length'], text: body }));
    const one = client();
    expect(await one.send('POST', '/', Buffer.from('abc'))).toEqual({ length: '3', text: 'abc' });
    expect(await one.send('POST', '/', Readable.from(['ab', 'c']))).toEqual({ text: 'abc' });
    expect(await one.send('POST', '/', Readable.from(['ab', 'c']), { length: 3 })).toEqual({
      length: '3',
      text: 'abc',
    });
  });

  it('takes an answer that comes before all is sent, and stops sending', async () => {
    answer = (_, response) =>
      response.writeHead(409).end('{"code":"STALE_EPOCH","message":"m","hint":null,"problems":[]}');
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(65536);
      })(),
    );
    expect(await fails(client().send('POST', '/', endless))).toMatchObject({ code: 'STALE_EPOCH' });
    if (!endless.destroyed) await new Promise((closed) => endless.once('close', closed));
  });

  it('throws what made the stream fail', async () => {
    answer = (request) => request.resume();
    const broken = new Error('disk');
    const body = Readable.from(
      (function* () {
        yield 'x';
        throw broken;
      })(),
    );
    expect(await fails(client().send('POST', '/', body))).toBe(broken);
  });
});

describe('HttpClient.download', () => {
  it('gives status, headers and bytes, and asks for the rest from an offset', async () => {
    answer = (request, response) =>
      response
        .writeHead(request.headers.range === undefined ? 200 : 206, { etag: '"e"' })
        .end(request.headers.range);
    const whole = await client().download('/a');
    expect([whole.status, whole.headers.etag, await text(whole.body)]).toEqual([200, '"e"', '']);
    const rest = await client().download('/a', { offset: 7 });
    expect([rest.status, await text(rest.body)]).toEqual([206, 'bytes=7-']);
  });

  it('throws a refusal', async () => {
    answer = (_, response) => response.writeHead(416).end();
    expect(await fails(client().download('/a', { offset: 7 }))).toMatchObject({ status: 416 });
  });

  it('fails when the bytes break off', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': 10 }).write('half', () => response.destroy());
    };
    const { body } = await client().download('/a');
    expect(await fails(buffer(body))).toBeInstanceOf(Unreachable);
  });

  it('fails with the reason of the signal while it is read', async () => {
    answer = (_, response) => void response.write('half');
    const abort = new AbortController();
    const { body } = await client().download('/a', { signal: abort.signal });
    body.once('data', () => abort.abort(new Error('enough')));
    expect(await fails(buffer(body))).toMatchObject({ message: 'enough' });
  });

  it('ends the connection when the body is dropped', async () => {
    answer = (_, response) => void response.write('half');
    const { body } = await client().download('/a');
    const closed = new Promise((done) => seen[0]?.socket.once('close', done));
    body.destroy();
    await closed;
  });
});

describe('HttpClient.events', () => {
  const gather = async (stream: AsyncIterable<unknown>) => {
    const events = [];
    for await (const event of stream) events.push(event);
    return events;
  };

  it('tells the events until the server ends the stream, from an id on', async () => {
    answer = (_, response) =>
      response
        .writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
        .end('id: 8\ndata: ä\n\n');
    expect(await gather(client().events('/e', { lastEventId: '7' }))).toEqual([
      { id: '8', event: 'message', data: 'ä' },
    ]);
    expect(seen[0]?.headers).toMatchObject({ accept: 'text/event-stream', 'last-event-id': '7' });
  });

  it('fails when nothing came for too long, and not while comments come', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      let comments = 0;
      const timer = setInterval(() => {
        if (++comments === 10) response.write('data: x\n\n');
        else if (comments < 10) response.write(':\n');
        else clearInterval(timer);
      }, 20);
    };
    const events = client().events('/e', { timeoutMs: 100 })[Symbol.asyncIterator]();
    expect(await events.next()).toMatchObject({ value: { data: 'x' } });
    expect(await fails(events.next())).toMatchObject({
      message: `cannot reach ${url}: nothing came for 0.1 s`,
    });
  });

  it('ends the connection when the reader leaves', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: x\n\n');
    };
    for await (const event of client().events('/e')) {
      expect(event.data).toBe('x');
      break;
    }
    const { socket } = seen[0]!;
    if (!socket.destroyed) await new Promise((done) => socket.once('close', done));
  });

  it('refuses what is no event stream', async () => {
    answer = (_, response) => response.end('<html>');
    expect(await fails(gather(client().events('/e')))).toMatchObject({ code: 'UNEXPECTED', status: 200 });
  });
});
