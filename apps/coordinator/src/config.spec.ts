import { describe, expect, it } from '@jest/globals';
import { CoordinatorConfig, isLoopback } from './config.js';

function read(environment: Readonly<Record<string, string>>) {
  const result = CoordinatorConfig.read(environment);
  if (!result.ok) throw new Error(result.problems.join('\n'));
  return result.config;
}

function problems(environment: Readonly<Record<string, string>>): readonly string[] {
  const result = CoordinatorConfig.read(environment);
  return result.ok ? [] : result.problems;
}

describe('CoordinatorConfig', () => {
  it('needs nothing: loopback, plain HTTP, SQLite and files in its own folder', () => {
    expect(read({ PATH: '/bin' })).toMatchObject({
      listen: { kind: 'tcp', host: '127.0.0.1', port: 7455 },
      publicUrl: 'http://127.0.0.1:7455',
      database: { kind: 'sqlite', path: '/var/lib/distrofarm-coordinator/farm.db' },
      artifacts: { kind: 'directory', folder: '/var/lib/distrofarm-coordinator/artifacts' },
      tls: { kind: 'off' },
      leaseMs: 70_000,
      selfStopMs: 42_000,
      heartbeatMs: 9_333,
    });
  });

  it('speaks TLS with a certificate of its own as soon as it is reached from elsewhere', () => {
    const config = read({
      DISTROFARM_LISTEN: '0.0.0.0:443',
      DISTROFARM_URL: 'https://farm.example.org',
      DISTROFARM_TLS_NAMES: 'farm, 192.0.2.7',
    });
    expect(config.publicUrl).toBe('https://farm.example.org');
    expect(config.tls).toMatchObject({
      kind: 'private-ca',
      names: expect.arrayContaining(['farm.example.org', 'farm', '192.0.2.7', 'localhost']),
    });
  });

  it.each<[string, Readonly<Record<string, string>>, object]>([
    ['a socket', { LISTEN: 'unix:/run/farm.sock' }, { listen: { kind: 'socket', path: '/run/farm.sock' } }],
    ['IPv6', { LISTEN: '[::1]:80' }, { listen: { kind: 'tcp', host: '::1', port: 80 } }],
    [
      'PostgreSQL',
      { DATABASE: 'postgres://u@h/d' },
      { database: { kind: 'postgres', url: 'postgres://u@h/d' } },
    ],
    ['another file', { DATABASE: 'sqlite:/x/y.db' }, { database: { kind: 'sqlite', path: '/x/y.db' } }],
    ['Redis on a socket', { REDIS: 'unix:/r.sock' }, { redis: { kind: 'socket', path: '/r.sock' } }],
    [
      'a bucket',
      {
        ARTIFACTS: 's3://images/farm/',
        S3_ENDPOINT: 'http://s3:9000',
        S3_ACCESS_KEY: 'a',
        S3_SECRET_KEY: 's',
      },
      {
        artifacts: {
          kind: 's3',
          bucket: 'images',
          prefix: 'farm/',
          endpoint: 'http://s3:9000',
          accessKeyId: 'a',
        },
      },
    ],
    [
      'certificates that are given',
      { TLS_CERT: '/c.pem', TLS_KEY: '/k.pem' },
      { tls: { kind: 'files', certificate: '/c.pem', key: '/k.pem' } },
    ],
    ['a proxy in front', { LISTEN: '0.0.0.0:80', TLS: 'off' }, { tls: { kind: 'off' } }],
    ['short leases', { LEASE_SECONDS: '5' }, { leaseMs: 5000, selfStopMs: 3000, heartbeatMs: 667 }],
    ['an empty value as none', { DATABASE: '' }, { database: { kind: 'sqlite' } }],
  ])('takes %s', (_, given, expected) => {
    const environment = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [`DISTROFARM_${name}`, value]),
    );
    expect(read(environment)).toMatchObject(expected);
  });

  it('ends the agents’ own terms well before a job may go to another', () => {
    for (const seconds of ['1', '5', '75', '3600']) {
      const { leaseMs, selfStopMs, heartbeatMs } = read({ DISTROFARM_LEASE_SECONDS: seconds });
      expect(heartbeatMs * 3).toBeLessThan(selfStopMs);
      expect(selfStopMs).toBeLessThan(leaseMs * 0.7);
    }
  });

  it('refuses a setting it does not know, and lists all problems at once', () => {
    expect(
      problems({
        DISTROFARM_DATABSE: 'sqlite',
        DISTROFARM_LEASE_SECONDS: 'soon',
        DISTROFARM_REPLICAS: '4',
        DISTROFARM_AGENT_SLOTS: '4',
        DISTROFARM_TOKEN: 'dfu_x',
      }),
    ).toEqual([
      expect.stringMatching(/^DISTROFARM_LEASE_SECONDS: /),
      'DISTROFARM_REPLICAS: expected a number from 0 to 3: each copy is one more agent’s',
      'DISTROFARM_DATABSE: no such setting; docs/operations.md lists them',
    ]);
    expect(
      problems({ DISTROFARM_LISTEN: 'here', DISTROFARM_REDIS: 'there', DISTROFARM_DATABASE: 'mysql:x' }),
    ).toHaveLength(3);
  });

  it('tells loopback from the rest', () => {
    const at = (host: string) => isLoopback({ kind: 'tcp', host, port: 1 });
    expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].every(at)).toBe(true);
    expect(['0.0.0.0', '::', '192.0.2.1', 'farm', '127.evil.example'].some(at)).toBe(false);
  });
});
