import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { execa } from 'execa';
import { ManifestSocket, removeDeadManifestSockets, type QueryAnswer } from './manifest-socket.js';

const CLIENT = resolve(import.meta.dirname, '../../../bin/ManifestRead');
const LARGE = 'x'.repeat(102_400) + 'é';

const VALUES: Record<string, readonly string[]> = {
  name: ['Acme_Tiny'],
  'a/b': ['one', 'two words', "it's"],
  empty: [''],
  mixed: ['', 'x', ''],
  large: [LARGE],
};

function answer(request: string, byKey: boolean): QueryAnswer {
  if (byKey) return { kind: 'values', values: [`key ${request}`] };
  if (request === 'secret') return { kind: 'refused', reason: 'this step does not declare it' };
  return { kind: 'values', values: VALUES[request] ?? [] };
}

let socket: ManifestSocket;
beforeEach(async () => {
  socket = await ManifestSocket.open(answer);
});
afterEach(async () => socket.close());

async function ask(
  ...args: string[]
): Promise<{ stdout: string; stderr: string; exitCode: number | undefined }> {
  const { stdout, stderr, exitCode } = await execa(CLIENT, args, { reject: false, stripFinalNewline: false });
  return { stdout, stderr, exitCode };
}

describe('ManifestSocket and ManifestRead', () => {
  it.each<[string, string[], string]>([
    ['one value', ['name'], 'Acme_Tiny\n'],
    ['several values', ['a/b'], "one\ntwo words\nit's\n"],
    ['several requests, prefixed', ['name', 'a/b'], "name Acme_Tiny\na/b one\na/b two words\na/b it's\n"],
    ['nothing for what does not match', ['nosuch'], ''],
    ['an empty value', ['empty'], '\n'],
    ['empty values among others', ['mixed'], '\nx\n\n'],
    ['100 KiB', ['large'], `${LARGE}\n`],
  ])('carries %s', async (_, requests, stdout) => {
    expect(await ask(socket.path, ...requests)).toMatchObject({ stdout, stderr: '', exitCode: 0 });
  });

  it('prefixes a single request when asked to', async () => {
    expect((await ask('-r', socket.path, 'name')).stdout).toBe('name Acme_Tiny\n');
  });

  it('looks up keys', async () => {
    expect((await ask('-k', socket.path, 'iso_sort')).stdout).toBe('key iso_sort\n');
  });

  it('refuses in words, and serves the next client', async () => {
    const refused = await ask(socket.path, 'secret');
    expect(refused).toMatchObject({
      stdout: '',
      stderr: 'ManifestRead: this step does not declare it\n',
      exitCode: 1,
    });
    expect((await ask(socket.path, 'name')).stdout).toBe('Acme_Tiny\n');
  });

  it('is reachable by its owner only', async () => {
    expect((await stat(dirname(socket.path))).mode & 0o777).toBe(0o700);
  });

  it('answers a client that sends byte by byte, and closes on rubbish', async () => {
    expect(await talk(['0', ' ', '00', '0004', 'na', 'me', '\x04', '\x05'])).toBe('\x011,11Acme_Tiny\0\x02');
    expect(await talk(['GET / HTTP/1.1\r\n\r\n'])).toBe('refused: not a ManifestRead request');
  });

  it('goes away with its folder while a client is connected', async () => {
    const client = connect(socket.path);
    await new Promise((done) => client.once('connect', done));
    const closed = new Promise((done) => client.once('close', done));
    await socket.close();
    await closed;
    await expect(stat(dirname(socket.path))).rejects.toThrow('ENOENT');
  });

  it.each([
    ['22 without a socket', [], 22],
    ['ENOENT for a socket that is not there', ['/nonexistent/socket', 'name'], 2],
  ])('ManifestRead exits with %s', async (_, args, status) => {
    expect((await ask(...args)).exitCode).toBe(status);
  });
});

async function talk(pieces: readonly string[]): Promise<string> {
  const client = connect({ path: socket.path, noDelay: true } as { path: string });
  let received = '';
  client.on('data', (bytes) => (received += bytes.toString('latin1')));
  const closed = new Promise((done) => client.once('close', done));
  for (const piece of pieces) {
    client.write(piece);
    await new Promise((done) => setImmediate(done));
  }
  await closed;
  return received;
}

describe('sockets of the dead', () => {
  it('go, and those of the living stay', async () => {
    const dead = await mkdtemp(join(tmpdir(), 'distro_const-'));
    const path = join(dead, 'manifest');
    await execa(
      'node',
      ['-e', 'net.createServer().listen(process.argv[1], () => process.kill(process.pid, 9))', path],
      {
        reject: false,
      },
    );
    expect(existsSync(path)).toBe(true);
    const opening = await mkdtemp(join(tmpdir(), 'distro_const-'));
    try {
      await removeDeadManifestSockets();
      expect([dead, opening, dirname(socket.path)].map((each) => existsSync(each))).toEqual([
        false,
        true,
        true,
      ]);
      expect((await ask(socket.path, 'name')).stdout).toBe('Acme_Tiny\n');
    } finally {
      await rm(opening, { recursive: true });
    }
  });
});
