import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { Farm } from './farm.js';
import type { Io, Output } from './io.js';

export interface TestIo extends Io {
  readonly out: () => string;
  readonly err: () => string;
}

/** What a command sees of a process, with what it writes kept. */
export function ioOf(part: Partial<Io> & { readonly typed?: string } = {}): TestIo {
  const written = { out: '', err: '' };
  const output = (name: keyof typeof written): Output => ({
    write: (data) => {
      written[name] += Buffer.from(data).toString('utf8');
      return true;
    },
    once: () => undefined,
  });
  return {
    stdin: Readable.from([part.typed ?? '']),
    stdout: output('out'),
    stderr: output('err'),
    env: {},
    cwd: '/',
    now: () => 0,
    signal: new AbortController().signal,
    ...part,
    out: () => written.out,
    err: () => written.err,
  };
}

export interface TestFarm extends AsyncDisposable {
  readonly url: string;
  readonly farm: Farm;
}

/** A coordinator that answers as the spec says, on loopback: what is faked is the far side of the wire, not the client. */
export async function farmAnswering(answer: RequestListener): Promise<TestFarm> {
  const server = createServer(answer);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const farm = new Farm({ name: 'test', url, token: null, ca: null });
  return {
    url,
    farm,
    async [Symbol.asyncDispose]() {
      farm.close();
      server.closeAllConnections();
      await promisify(server.close.bind(server))();
    },
  };
}
