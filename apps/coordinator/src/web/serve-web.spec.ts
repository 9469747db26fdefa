import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import express from 'express';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { serveWeb } from './serve-web.js';

describe('serving the page', () => {
  let folder: string;
  let server: Server;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), '.serve-web-'));
    const app = express();
    app.use(serveWeb(folder));
    app.use((_, response) => void response.status(418).send('behind it'));
    server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  });

  async function ask(path: string, method = 'GET') {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
    const response = await fetch(url, { method });
    return [response.status, await response.text(), response.headers.get('cache-control')] as const;
  }

  async function build(): Promise<void> {
    await mkdir(join(folder, 'assets'));
    await writeFile(join(folder, 'index.html'), 'the page');
    await writeFile(join(folder, 'assets/a-123.js'), 'script');
  }

  it.each(['/', '/builds/b-0000000001', '/builds/b-0000000001/log/t-0000000001?at=5', '/apiary', '/nothing'])(
    'gives the document at %s',
    async (path) => {
      await build();
      expect(await ask(path)).toEqual([200, 'the page', 'no-cache']);
    },
  );

  it.each(['/api/v1/builds', '/api', '/agent/v1/hello', '/assets/none.js'])(
    'leaves %s to others',
    async (path) => {
      await build();
      expect((await ask(path))[0]).not.toBe(200);
    },
  );

  it('leaves what changes something to others', async () => {
    await build();
    expect(await ask('/builds', 'POST')).toEqual([418, 'behind it', null]);
  });

  it('lets files with a digest in their name be kept', async () => {
    await build();
    expect(await ask('/assets/a-123.js')).toEqual([200, 'script', 'public, max-age=31536000, immutable']);
  });

  it('sends script as it was compressed, to who takes that', async () => {
    await build();
    await writeFile(join(folder, 'assets/a-123.js.gz'), gzipSync('script'));
    const { port } = server.address() as AddressInfo;
    const headersOf = async (encoding: string) => {
      const url = `http://127.0.0.1:${port}/assets/a-123.js?x=1`;
      const response = await fetch(url, { headers: { 'Accept-Encoding': encoding } });
      expect(await response.text()).toBe('script');
      return ['content-encoding', 'content-type', 'vary', 'cache-control'].map((name) =>
        response.headers.get(name),
      );
    };
    const [type, kept] = ['text/javascript; charset=utf-8', 'public, max-age=31536000, immutable'];
    expect(await headersOf('gzip, br')).toEqual(['gzip', type, 'Accept-Encoding', kept]);
    expect(await headersOf('identity')).toEqual([null, type, 'Accept-Encoding', kept]);
  });

  it('says what to do where it was not built', async () => {
    expect(await ask('/')).toEqual([404, expect.stringContaining('npm run build'), null]);
  });
});
