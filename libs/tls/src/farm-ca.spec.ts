import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { fetchFarmCa, HttpClient } from '#libs/http-client';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFarmCa, type ServerCertificate } from './index.js';

const DAY_MS = 86_400_000;
const NAMES = ['127.0.0.1', 'localhost', '::1', 'farm.example'];
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'farm-ca-'));
});
afterEach(async () => rm(folder, { recursive: true }));

describe('openFarmCa', () => {
  it('makes an authority once, for its owner only', async () => {
    const made = await openFarmCa(join(folder, 'tls'));
    const opened = await openFarmCa(join(folder, 'tls'));
    expect(opened.fingerprint).toBe(made.fingerprint);
    expect(made.fingerprint).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect((await stat(join(folder, 'tls'))).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, 'tls/farm-ca.pem'))).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, 'tls'))).toEqual(['farm-ca.pem']);
    expect(made.certificate).not.toContain('PRIVATE');
  });

  it('makes one only when several processes start at once', async () => {
    const opened = await Promise.all(Array.from({ length: 8 }, () => openFarmCa(folder)));
    expect(new Set(opened.map(({ fingerprint }) => fingerprint)).size).toBe(1);
    expect(await readdir(folder)).toEqual(['farm-ca.pem']);
  });

  it('is an authority for servers, for ten years', async () => {
    const ca = new X509Certificate((await openFarmCa(folder)).certificate);
    expect(ca.ca).toBe(true);
    expect(ca.verify(ca.publicKey)).toBe(true);
    expect(ca.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    const days = (Date.parse(ca.validTo) - Date.parse(ca.validFrom)) / DAY_MS;
    expect(days).toBe(3651);
  });

  it('refuses a damaged file, and says what to do', async () => {
    await openFarmCa(folder);
    await writeFile(join(folder, 'farm-ca.pem'), 'x');
    await expect(openFarmCa(folder)).rejects.toMatchObject({ code: 'FARM_CA_UNREADABLE' });
  });

  it('refuses a certificate with the key of another', async () => {
    await openFarmCa(join(folder, 'a'));
    const other = await openFarmCa(join(folder, 'b'));
    const text = await readFile(join(folder, 'a/farm-ca.pem'), 'utf8');
    const key = text.slice(0, text.indexOf('-----BEGIN CERTIFICATE'));
    await writeFile(join(folder, 'a/farm-ca.pem'), key + other.certificate);
    await expect(openFarmCa(join(folder, 'a'))).rejects.toThrow('the key is not that of the certificate');
  });
});

describe('FarmCa.issueServerCertificate', () => {
  const first = (chain: string) => new X509Certificate(chain);

  it('is for a server, for these names, for at most 397 days', async () => {
    const { chain, validUntil } = await (await openFarmCa(folder)).issueServerCertificate(NAMES);
    const leaf = first(chain);
    expect(leaf.ca).toBe(false);
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(leaf.subjectAltName?.split(', ').sort()).toEqual(
      ['IP Address:127.0.0.1', 'DNS:localhost', 'IP Address:0:0:0:0:0:0:0:1', 'DNS:farm.example'].sort(),
    );
    expect((validUntil - Date.parse(leaf.validFrom)) / DAY_MS).toBe(397);
    expect(chain.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  });

  it('stays the same for the same names, in any order and spelling', async () => {
    const ca = await openFarmCa(folder);
    const made = await ca.issueServerCertificate(['::1', 'localhost', '10.0.0.1']);
    const again = await (await openFarmCa(folder)).issueServerCertificate(['10.0.0.1', 'LOCALHOST', '0::1']);
    expect(again).toEqual(made);
    expect((await stat(join(folder, 'server.pem'))).mode & 0o777).toBe(0o600);
  });

  it('is renewed when names change', async () => {
    const ca = await openFarmCa(folder);
    const made = await ca.issueServerCertificate(['localhost']);
    expect(await ca.issueServerCertificate(['localhost', 'farm.example'])).not.toEqual(made);
  });

  it('is renewed when it nears its end, and not before', async () => {
    let now = Date.parse('2027-01-01');
    const ca = await openFarmCa(folder, () => now);
    const made = await ca.issueServerCertificate(['localhost']);
    now += 330 * DAY_MS;
    expect(await ca.issueServerCertificate(['localhost'])).toEqual(made);
    now += 10 * DAY_MS;
    expect((await ca.issueServerCertificate(['localhost'])).validUntil).toBeGreaterThan(made.validUntil);
  });

  it('is renewed when the authority is another, or the file damaged', async () => {
    const made = await (await openFarmCa(folder)).issueServerCertificate(['localhost']);
    await rm(join(folder, 'farm-ca.pem'));
    const ca = await openFarmCa(folder);
    const renewed = await ca.issueServerCertificate(['localhost']);
    expect(first(renewed.chain).verify(first(ca.certificate).publicKey)).toBe(true);
    expect(renewed).not.toEqual(made);
    await writeFile(join(folder, 'server.pem'), 'x');
    expect(await ca.issueServerCertificate(['localhost'])).not.toEqual(renewed);
  });

  it('is never valid longer than the authority', async () => {
    let now = Date.parse('2027-01-01');
    const ca = await openFarmCa(folder, () => now);
    now += 3600 * DAY_MS;
    const { validUntil } = await ca.issueServerCertificate(['localhost']);
    expect(validUntil).toBe(Date.parse(first(ca.certificate).validTo));
  });

  for (const name of ['', 'a b', '*', 'x'.repeat(254), 'a..b', '-a', 'a/b', 'CN=x', 'a\n']) {
    it(`is not made for ${JSON.stringify(name.slice(0, 20))}`, async () => {
      await expect((await openFarmCa(folder)).issueServerCertificate([name])).rejects.toThrow(RangeError);
    });
  }

  it('is made for at least one name', async () => {
    await expect((await openFarmCa(folder)).issueServerCertificate([])).rejects.toThrow(RangeError);
  });
});

describe('a server with such a certificate', () => {
  let server: Server | null = null;
  const clients: HttpClient[] = [];
  afterEach(async () => {
    clients.splice(0).forEach((client) => client.close());
    server?.closeAllConnections();
    await new Promise((closed) => (server === null ? closed(null) : server.close(closed)));
    server = null;
  });

  async function serve({ chain, key }: Omit<ServerCertificate, 'validUntil'>): Promise<number> {
    server = createServer({ cert: chain, key }, (_, response) => response.end('{"ok":true}'));
    await new Promise<void>((listening) => server?.listen(0, '127.0.0.1', listening));
    return (server.address() as AddressInfo).port;
  }
  const ask = (url: string, ca: string | null) => {
    const client = new HttpClient({ url, secret: null, ca });
    clients.push(client);
    return client.json('GET', '/');
  };

  it('is trusted by name and by address, by those who trust its authority', async () => {
    const ca = await openFarmCa(folder);
    const port = await serve(await ca.issueServerCertificate(NAMES));
    for (const host of ['localhost', '127.0.0.1']) {
      expect(await ask(`https://${host}:${port}`, ca.certificate)).toEqual({ ok: true });
    }
  });

  it('is not trusted by those who trust the system, or another authority', async () => {
    const port = await serve(await (await openFarmCa(folder)).issueServerCertificate(NAMES));
    await expect(ask(`https://localhost:${port}`, null)).rejects.toThrow(
      `cannot reach https://localhost:${port}: its certificate comes from a certificate authority that is not trusted`,
    );
    const other = await openFarmCa(join(folder, 'other'));
    await expect(ask(`https://localhost:${port}`, other.certificate)).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('certificate authority'),
    });
  });

  it('is refused under another name, in words', async () => {
    const ca = await openFarmCa(folder);
    const port = await serve(await ca.issueServerCertificate(['farm.example']));
    await expect(ask(`https://127.0.0.1:${port}`, ca.certificate)).rejects.toThrow(
      'its certificate is for DNS:farm.example, not for 127.0.0.1',
    );
  });

  it('is refused when it has expired, in words', async () => {
    let now = Date.now() - 400 * DAY_MS;
    const ca = await openFarmCa(folder, () => now);
    const certificate = await ca.issueServerCertificate(NAMES);
    now = Date.now();
    const port = await serve(certificate);
    await expect(ask(`https://localhost:${port}`, ca.certificate)).rejects.toThrow(
      'its certificate has expired',
    );
  });

  it('hands its authority to whoever knows the fingerprint', async () => {
    const ca = await openFarmCa(folder);
    const port = await serve(await ca.issueServerCertificate(NAMES));
    for (const host of ['localhost', '127.0.0.1']) {
      const fetched = await fetchFarmCa(`https://${host}:${port}`, ca.fingerprint);
      expect(fetched).toBe(ca.certificate);
      expect(await ask(`https://${host}:${port}`, fetched)).toEqual({ ok: true });
    }
  });

  it('is refused by whoever knows another fingerprint; both are named', async () => {
    const ca = await openFarmCa(folder);
    const port = await serve(await ca.issueServerCertificate(NAMES));
    const other = `sha256:${'0'.repeat(64)}`;
    await expect(fetchFarmCa(`https://localhost:${port}`, other)).rejects.toMatchObject({
      code: 'WRONG_FARM_CA',
      message: `localhost:${port} has the authority ${ca.fingerprint}, expected ${other}`,
    });
  });

  it("is refused when it presents somebody else's authority beside its own certificate", async () => {
    const ca = await openFarmCa(folder);
    const mine = await openFarmCa(join(folder, 'mine'));
    const { chain, key } = await mine.issueServerCertificate(NAMES);
    const leaf = chain.slice(0, chain.indexOf('-----BEGIN', 1));
    const port = await serve({ chain: leaf + ca.certificate, key });
    await expect(fetchFarmCa(`https://localhost:${port}`, ca.fingerprint)).rejects.toMatchObject({
      code: 'WRONG_FARM_CA',
    });
  });

  it('is not asked for by a fingerprint of another form, or without TLS', async () => {
    await expect(fetchFarmCa('https://localhost:1', 'AB:CD')).rejects.toThrow(TypeError);
    await expect(fetchFarmCa('http://localhost:1', `sha256:${'0'.repeat(64)}`)).rejects.toThrow(TypeError);
  });
});
