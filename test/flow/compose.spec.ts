// Needs nothing: no container engine is asked. What docker-compose.yml, the units and docs/operations.md say is held against what the code reads.
import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { AGENT_SETTINGS, parseConfig } from '../../apps/agent/src/config.js';
import { COORDINATOR_SETTINGS, CoordinatorConfig } from '../../apps/coordinator/src/config.js';
import { judgeRedis } from '../../libs/queue/src/check-redis.js';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly target: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly networks: readonly string[];
  readonly ports?: readonly string[];
  readonly secrets?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly privileged?: boolean;
}
const compose = parse(read('docker-compose.yml')) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
};
const { services } = compose;
const service = (name: string): Service => services[name]!;

/** `${NAME:-default}` as compose fills it in where NAME is not set. */
function filledIn(text: string): string {
  return text.replace(/\$\{[A-Z_]+:-([^}]*)\}/g, '$1');
}

function environmentOf(name: string): Record<string, string> {
  const entries = Object.entries(service(name).environment ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key, filledIn(value)]));
}

function coordinatorConfig(environment: Record<string, string>): CoordinatorConfig {
  const result = CoordinatorConfig.read(environment);
  if (!result.ok) throw new Error(result.problems.join('\n'));
  return result.config;
}

/** The settings of a sample file, with its comment signs taken off. */
function sampleOf(path: string): Record<string, string> {
  const lines = read(path)
    .split('\n')
    .map((line) => /^#?(DISTROFARM_[A-Z0-9_]+)=(.*)$/.exec(line))
    .filter((match) => match !== null);
  return Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value]));
}

/** Rows of the tables of settings in docs/operations.md: name and default. */
function documentedSettings(): readonly (readonly [name: string, fallback: string])[] {
  return [
    ...read('docs/operations.md').matchAll(/^\| `(DISTROFARM_[A-Z0-9_]+)` \| (?:`([^`]*)`|([^|]*)) \|/gm),
  ].map(([, name = '', fallback = '']) => [name, fallback]);
}

/** Variables of `distrofarm`, of the entry scripts' environment and of the tests. */
const OF_THE_CLI = ['DISTROFARM_URL', 'DISTROFARM_TOKEN', 'DISTROFARM_CA'];
const known = new Set([...COORDINATOR_SETTINGS, ...AGENT_SETTINGS, ...OF_THE_CLI]);

describe('docker-compose.yml', () => {
  it('gives the coordinator an environment that it accepts', () => {
    const config = coordinatorConfig(environmentOf('coordinator'));
    expect(config.database.kind).toBe('postgres');
    expect(config.tls).toMatchObject({ kind: 'private-ca' });
    expect(config.tls.kind === 'private-ca' && config.tls.names).toContain('coordinator');
    const mounted = service('coordinator').volumes?.map((volume) => volume.split(':')[1]);
    expect(mounted).toContain(config.dataFolder);
  });

  it('gives the agent an environment that it accepts, and keeps what it keeps', () => {
    const config = parseConfig(environmentOf('agent'));
    expect(config.store.kind).toBe('folder');
    const mounted = service('agent').volumes?.map((volume) => volume.split(':')[1]) ?? [];
    expect(mounted).toEqual(expect.arrayContaining([config.stateFolder, config.cacheFolder]));
    expect(config.store.kind === 'folder' && config.store.path.startsWith(`${config.stateFolder}/`)).toBe(
      true,
    );
    expect(service('agent').privileged).toBe(true);
  });

  it('points both at what the other services are', () => {
    const { database, redis, listen } = coordinatorConfig(environmentOf('coordinator'));
    expect(database.kind === 'postgres' && new URL(database.url).hostname).toBe('postgres');
    expect(redis.kind === 'url' && new URL(redis.url).hostname).toBe('redis');
    const { hostname, port } = new URL(parseConfig(environmentOf('agent')).coordinator!);
    expect(hostname).toBe('coordinator');
    expect(listen.kind === 'tcp' && String(listen.port)).toBe(port);
    const { username, pathname } = new URL(database.kind === 'postgres' ? database.url : '');
    const { POSTGRES_USER: user, POSTGRES_DB: name } = environmentOf('postgres');
    expect([username, pathname]).toEqual([user, `/${name}`]);
  });

  it('starts Redis with what the coordinator insists on', () => {
    const flags = service('redis').command!.slice(1);
    const settings = new Map<string, string>();
    for (let i = 0; i < flags.length; i += 2) settings.set(flags[i]!.replace(/^--/, ''), flags[i + 1]!);
    const version = /^redis:(\d+\.\d+)/.exec(service('redis').image)?.[1];
    const info = [
      `redis_version:${version}.99`,
      'role:master',
      `maxmemory_policy:${settings.get('maxmemory-policy')}`,
      `aof_enabled:${settings.get('appendonly') === 'yes' ? 1 : 0}`,
    ].join('\r\n');
    expect(judgeRedis(info, settings.get('save') ?? null)).toEqual([]);
    expect(settings.get('appendfsync')).toBe('everysec');
    expect(settings.get('maxmemory')).toMatch(/^\d+mb$/);
  });

  it('publishes the coordinator alone, and on this host only unless asked', () => {
    expect(Object.keys(services).filter((name) => service(name).ports !== undefined)).toEqual([
      'coordinator',
    ]);
    expect(service('coordinator').ports!.map(filledIn)).toEqual(['127.0.0.1:7455:7455']);
    expect(compose.networks['inside']).toEqual({ internal: true });
    expect(service('agent').networks).not.toContain('inside');
    for (const name of ['postgres', 'redis']) expect(service(name).networks).toEqual(['inside']);
  });

  it('names only volumes, networks, secrets, services, targets and files that there are', () => {
    const targets = [...read('Dockerfile').matchAll(/^FROM \S+ AS (\S+)$/gm)].map(([, name]) => name);
    for (const each of Object.values(services)) {
      expect(each.image).toMatch(/^[a-z0-9-]+(:[a-z0-9.-]+)?$/);
      if (each.build !== undefined) expect(targets).toContain(each.build.target);
      for (const volume of each.volumes ?? []) expect(volume).toMatch(/^[a-z]+:\/[a-z/-]+$/);
      const named = (each.volumes ?? []).map((volume) => volume.split(':')[0]!);
      expect(Object.keys(compose.volumes)).toEqual(expect.arrayContaining(named));
      expect(Object.keys(compose.networks)).toEqual(expect.arrayContaining([...each.networks]));
      expect(Object.keys(compose.secrets)).toEqual(expect.arrayContaining([...(each.secrets ?? [])]));
      for (const [name, { condition }] of Object.entries(each.depends_on ?? {})) {
        expect(condition).toBe('service_healthy');
        expect(service(name).healthcheck?.test[0]).toBe('CMD');
      }
    }
    expect(compose.secrets['database-password']?.file).toBe('deploy/secrets/database-password');
    expect(read('.gitignore')).toContain('deploy/secrets/');
  });

  it('has no secret in it', () => {
    expect(read('docker-compose.yml')).not.toMatch(/df[uaet]_|PASSWORD: |:[^/@\s]+@/);
  });
});

describe('Dockerfile', () => {
  const text = read('Dockerfile');

  it('copies only what there is', () => {
    const sources = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, list = '']) =>
      list.split(' '),
    );
    expect(sources.length).toBeGreaterThan(5);
    for (const source of sources.filter((each) => !each.includes('*')))
      expect([source, existsSync(join(ROOT, source))]).toEqual([source, true]);
  });

  it('starts programs that can be started', () => {
    const entries = [...text.matchAll(/^ENTRYPOINT \["(.+)"\]$/gm)].map(([, path]) => path!);
    expect(entries).toEqual(['deploy/coordinator-entry.sh', 'deploy/agent-entry.sh']);
    for (const path of [
      ...entries,
      'deploy/as-admin.sh',
      'deploy/health-check',
      'bin/distrofarm-coordinator',
    ])
      expect([path, statSync(join(ROOT, path)).mode & 0o111]).toEqual([path, 0o111]);
  });

  it('gives an agent the packages of scripts/setup.sh', () => {
    expect(text).toContain('$(scripts/setup.sh packages)');
    const packages = execFileSync(join(ROOT, 'scripts/setup.sh'), ['packages'], { encoding: 'utf8' });
    expect(packages.split('\n')).toEqual(expect.arrayContaining(['mmdebstrap', 'xorriso', 'util-linux']));
  });
});

describe('the samples of settings', () => {
  it('show every setting of the coordinator, with its default', () => {
    const sample = sampleOf('deploy/coordinator.env');
    expect(Object.keys(sample).sort()).toEqual([...COORDINATOR_SETTINGS].sort());
    expect(coordinatorConfig(sample)).toEqual(coordinatorConfig({}));
  });

  it('show every setting of the agent, with its default', () => {
    const sample = sampleOf('deploy/agent.env');
    expect(Object.keys(sample).sort()).toEqual([...AGENT_SETTINGS].sort());
    const config = { ...parseConfig(sample), environment: null };
    const defaults = { ...parseConfig({}), environment: null };
    expect(config).toEqual(defaults);
  });
});

describe('docs/operations.md', () => {
  it('lists every setting once, with its default', () => {
    const rows = documentedSettings();
    const expected = [
      ...COORDINATOR_SETTINGS,
      ...AGENT_SETTINGS.filter((name) => name !== 'DISTROFARM_LOG_LEVEL'),
    ];
    expect(rows.map(([name]) => name).sort()).toEqual(expected.sort());
    const samples = { ...sampleOf('deploy/agent.env'), ...sampleOf('deploy/coordinator.env') };
    expect(Object.fromEntries(rows)).toEqual(samples);
  });

  it.each([
    'docs/operations.md',
    'docker-compose.yml',
    'README.md',
    'deploy/as-admin.sh',
    'deploy/agent-entry.sh',
  ])('and %s name no variable that nothing reads', (path) => {
    const named = new Set(read(path).match(/DISTROFARM_[A-Z0-9_]*[A-Z0-9]/g) ?? []);
    expect([...named].filter((name) => !known.has(name))).toEqual([]);
  });

  it('tells of every type of event', async () => {
    const { EventType } = await import('#libs/contracts');
    const rows = [...read('docs/operations.md').matchAll(/^\| ((?:`[a-z-]+`(?:, )?)+) \|/gm)];
    const told = new Set(
      rows.flatMap(([, cell = '']) => [...cell.matchAll(/`([a-z-]+)`/g)].map(([, type]) => type)),
    );
    expect(EventType.options.filter((type) => !told.has(type))).toEqual([]);
  });

  it('tells of every metric of our own', () => {
    const metrics = read('apps/coordinator/src/metrics.ts').match(/'(distrofarm_[a-z_]+[a-z])'/g) ?? [];
    expect(metrics.length).toBeGreaterThan(0);
    for (const metric of metrics) expect(read('docs/operations.md')).toContain(metric.slice(1, -1));
  });
});

describe('the systemd units', () => {
  const unit = (name: string): Map<string, string> =>
    new Map(
      read(`deploy/systemd/distrofarm-${name}.service`)
        .split('\n')
        .filter((line) => line.includes('=') && !line.startsWith('#'))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );

  it('keep what the programs keep by default', () => {
    const { dataFolder } = coordinatorConfig({});
    expect(`/var/lib/${unit('coordinator').get('StateDirectory')}`).toBe(dataFolder);
    const { stateFolder, cacheFolder } = parseConfig({});
    expect(`/var/lib/${unit('agent').get('StateDirectory')}`).toBe(stateFolder);
    expect(`/var/cache/${unit('agent').get('CacheDirectory')}`).toBe(cacheFolder);
  });

  it('let jobs end before the agent is killed, and signal nobody but the agent', () => {
    expect(unit('agent').get('KillMode')).toBe('mixed');
    expect(Number(unit('agent').get('TimeoutStopSec'))).toBeGreaterThan(parseConfig({}).leaveSeconds);
  });

  it('start programs that there are', () => {
    for (const name of ['coordinator', 'agent']) {
      const path = unit(name).get('ExecStart')!.split(' ')[0]!.replace('/opt/distrofarm/', '');
      expect(statSync(join(ROOT, path)).mode & 0o111).toBe(0o111);
    }
  });
});
