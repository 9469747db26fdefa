// Needs redis-server, root, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { BuildId, CheckpointDiff, CheckpointView, ReadyDiff } from '#libs/contracts';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../apps/cli/src/distrofarm/run.js';
import type { Output } from '../../apps/cli/src/distrofarm/io.js';
import type { ScenarioStep } from '../support/farm-scenario.js';
import { TestFarm } from '../support/test-farm.js';

jest.setTimeout(300_000);

const paragraph = (name: string, version: string): string =>
  `Package: ${name}\\nStatus: install ok installed\\nArchitecture: amd64\\nVersion: ${version}\\n\\n`;
const dpkg = (...packages: readonly (readonly [string, string])[]): string =>
  `mkdir -p "$2/var/lib/dpkg"; printf '${packages.map(([name, version]) => paragraph(name, version)).join('')}' > "$2/var/lib/dpkg/status"`;

const STEPS = (flavour: string): readonly ScenarioStep[] => [
  {
    name: 'pop',
    body: `${dpkg(['dash', '0.5'], ['zsh', '5'])}; echo ${flavour} > "$2/flavour"; echo same > "$2/same"`,
  },
  {
    name: 'mod',
    body: `${dpkg(['bash', '5.2'], ['dash', '0.6'])}
printf x > "$2/"$'a\\nb\\e[2Jc'; printf x > "$2/"$'\\xff\\xfe'; printf x > "$2/"$'\\u202egpj.exe'
chmod 4755 "$2/same"; chown 7:8 "$2/same"; ln -s /etc/shadow "$2/link"; rm "$2/flavour"; mkdir "$2/flavour"`,
  },
  { name: 'fin' },
];

describe('the difference between two checkpoints', () => {
  let farm: TestFarm;
  /** Built by agent 0, and by agent 1. */
  let sweet: BuildId;
  let sour: BuildId;
  beforeAll(async () => {
    farm = await TestFarm.start({ database: 'sqlite', agents: 2, leaseSeconds: 2 });
    sweet = await build('sweet', 'agent0');
    sour = await build('sour', 'agent1');
  });
  afterAll(() => farm.stop());

  async function build(flavour: string, onAgent: string): Promise<BuildId> {
    const id = await farm.submit(farm.scenario(STEPS(flavour)), { onAgent });
    expect(await farm.atRest(id)).toMatchObject({ state: 'succeeded' });
    return id;
  }
  const query = (values: Readonly<Record<string, string>>): string => new URLSearchParams(values).toString();
  const look = async (from: string, to: string, more = {}): Promise<CheckpointDiff> =>
    await farm.call<CheckpointDiff>('GET', `/checkpoints/diff?${query({ from, to, ...more })}`);
  async function until(
    holds: (diff: CheckpointDiff) => boolean,
    from: string,
    to: string,
    more = {},
  ): Promise<CheckpointDiff> {
    for (;;) {
      const diff = await look(from, to, more);
      if (holds(diff)) return diff;
      await sleep(50);
    }
  }
  const compared = async (from: string, to: string, more = {}): Promise<ReadyDiff> =>
    (await until(({ state }) => state !== 'waiting', from, to, more)) as ReadyDiff;
  const told = ({ changes }: ReadyDiff): readonly string[] =>
    changes
      .map(({ path, change, parts }) => [change, path, ...parts].join(' '))
      .filter((line) => !line.includes('trace'));
  const idOf = async (build: BuildId, before: string): Promise<string> => {
    const { checkpoints } = await farm.call<{ checkpoints: CheckpointView[] }>(
      'GET',
      `/checkpoints?build=${build}`,
    );
    return checkpoints.find((each) => each.before === before)?.id ?? '';
  };
  /** What a name comes to when its listing failed, or is waited for. */
  const whyOf = (diff: CheckpointDiff): string =>
    diff.from.listing.state === 'ready' ? '' : diff.from.listing.why;

  it('says what a step changed: packages, files, and what of them, whatever they are called', async () => {
    const diff = await compared(`${sweet}@mod`, `${sweet}@fin`);
    expect(diff).toMatchObject({
      state: 'ready',
      from: { id: await idOf(sweet, 'mod'), before: 'mod', agents: [{ agentName: 'agent0' }] },
      to: { id: await idOf(sweet, 'fin'), before: 'fin' },
      packages: {
        counts: { added: 1, removed: 1, changed: 1, same: 0 },
        changes: [
          { name: 'bash', architecture: 'amd64', from: null, to: '5.2' },
          { name: 'dash', architecture: 'amd64', from: '0.5', to: '0.6' },
          { name: 'zsh', architecture: 'amd64', from: '5', to: null },
        ],
      },
    });
    expect(told(diff)).toEqual([
      'added pkg_image/a\\u{a}b\\u{1b}[2Jc',
      'changed pkg_image/flavour type',
      'added pkg_image/link',
      'changed pkg_image/same mode owner',
      'changed pkg_image/var/lib/dpkg/status content',
      'added pkg_image/\\u{202e}gpj.exe',
      'added pkg_image/\\xff\\xfe',
    ]);
    // And the other way round.
    const back = await compared(`${sweet}@fin`, `${sweet}@mod`);
    expect(back.files).toEqual({ ...diff.files, added: diff.files.removed, removed: diff.files.added });
    const itself = await compared(`${sweet}@fin`, `${sweet}@fin`);
    expect(itself).toMatchObject({ changes: [], files: { added: 0, removed: 0, changed: 0 } });
  });

  it('is had of two agents that hold one each, in pages, and by whoever may see the list', async () => {
    const [from, to] = [await idOf(sweet, 'mod'), await idOf(sour, 'mod')];
    const diff = await compared(from, to);
    expect(told(diff)).toEqual(['changed pkg_image/flavour content']);
    expect([diff.from.agents, diff.to.agents].flat().map(({ agentName }) => agentName)).toEqual([
      'agent0',
      'agent1',
    ]);
    const all = await compared(`${sweet}@mod`, `${sour}@fin`);
    const pages: string[] = [];
    for (let offset: number | null = 0; offset !== null;) {
      const page: ReadyDiff = await compared(`${sweet}@mod`, `${sour}@fin`, {
        limit: '3',
        offset: String(offset),
      });
      expect([page.matching, page.changes.length <= 3]).toEqual([all.changes.length, true]);
      pages.push(...page.changes.map(({ path }) => path));
      offset = page.next;
    }
    expect(pages).toEqual(all.changes.map(({ path }) => path));
    expect(told(await compared(`${sweet}@mod`, `${sour}@fin`, { path: '/link' }))).toEqual([
      'added pkg_image/link',
    ]);
    const vera = farm.clientFor(await farm.token({ user: 'vera', role: 'viewer' }));
    expect(await vera.json('GET', `/api/v1/checkpoints/diff?${query({ from, to })}`)).toMatchObject({
      state: 'ready',
    });
    const nobody = farm.clientFor(null).json('GET', `/api/v1/checkpoints/diff?${query({ from, to })}`);
    await expect(nobody).rejects.toMatchObject({ status: 401 });
  });

  it('is printed by distrofarm diff, harmless on a terminal', async () => {
    const { exit, out, err } = await cli('diff', `${sweet}@mod`, `${sweet}@fin`, '--most', '4');
    expect(exit).toBe(0);
    expect(err).toBe('');
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    expect(out).toMatch(/^files: {4}\d+ added, 0 removed, \d+ changed, \d+ the same$/m);
    expect(out).toMatch(/^ {2}~ {2}dash {2}amd64 {2}0\.5 → 0\.6$/m);
    expect(out).toMatch(/^ {2}and \d+ more files \(--most, --path; --json has all\)$/m);
    const json = await cli('--json', 'diff', `${sweet}@mod`, `${sweet}@fin`);
    expect(JSON.parse(json.out)).toMatchObject({ state: 'ready', next: null });
    const unknown = await cli('diff', `${sweet}@mood`, `${sweet}@fin`);
    expect([unknown.exit, unknown.err]).toEqual([4, expect.stringContaining('Did you mean "mod"?')]);
  });

  it.each([
    ['an id that nobody has', 'from=12345&to=12345', 404, /no agent holds a checkpoint "12345"/],
    ['something else', `from=${encodeURIComponent("';--")}&to=1`, 400, /from: found/],
    ['nothing', 'to=1', 400, /from: found nothing/],
    ['two of one', 'from=1&from=2&to=1', 400, /from: expected one text/],
    ['a limit that is none', 'from=1&to=1&limit=x', 400, /limit: found "x"/],
    ['a build that is none', 'from=b-zzzzzzzzzz@a&to=1', 404, /there is no build/],
  ])('is refused of %s', async (_, text, status, message) => {
    await expect(farm.call('GET', `/checkpoints/diff?${text}`)).rejects.toMatchObject({
      status,
      message: expect.stringMatching(message),
    });
  });

  it('has them listed again where a listing is gone from the artifact store', async () => {
    const before = await compared(`${sweet}@mod`, `${sour}@fin`);
    const artifacts = join(farm.folder, 'coordinator/artifacts');
    const entries = await readdir(artifacts, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(0);
    for (const { parentPath, name } of files) await rm(join(parentPath, name));
    const after = await compared(`${sweet}@mod`, `${sour}@fin`);
    expect(told(after)).toEqual(told(before));
  });

  it('waits for an agent, says that it is lost, and goes on when it is back', async () => {
    const id = await build('salty', 'agent0');
    const agent = farm.agents[0]!;
    agent.signal('SIGSTOP');
    const [from, to] = [`${id}@mod`, `${id}@fin`];
    expect(whyOf(await look(from, to))).toBe('agent agent0 is to list it');
    await agent.kill9();
    const lost = await until(({ state }) => state === 'failed', from, to);
    expect(whyOf(lost)).toBe('agent agent0, which holds it, is not connected');
    const refused = await cli('diff', from, to);
    expect([refused.exit, refused.err]).toEqual([1, expect.stringContaining('is not connected')]);
    await farm.startAgent(0);
    expect(await until(({ state }) => state === 'ready', from, to)).toMatchObject({ state: 'ready' });
  });

  it('says that a checkpoint is gone, if nobody has listed it before', async () => {
    const id = await build('bitter', 'agent0');
    const [from, to] = [`${id}@mod`, `${id}@fin`];
    const ids = { from: await idOf(id, 'mod'), to: await idOf(id, 'fin') };
    const other = await build('umami', 'agent0');
    const kept = { from: await idOf(other, 'mod'), to: await idOf(other, 'fin') };
    await compared(kept.from, kept.to);
    const agent = farm.agents[0]!;
    agent.signal('SIGSTOP');
    await look(from, to);
    for (const build of [id, other])
      await rm(join(farm.agentFolder(0), 'store', `${build}.default`, '.checkpoints/build_data'), {
        recursive: true,
      });
    agent.signal('SIGCONT');
    await expect(until(() => false, ids.from, ids.to)).rejects.toMatchObject({ status: 404 });
    await farm.restartAgent(0);
    expect(await idOf(other, 'mod')).toBe('');
    expect(await compared(kept.from, kept.to)).toMatchObject({
      state: 'ready',
      from: { agents: [], takenAt: null },
    });
  });

  async function cli(...args: readonly string[]) {
    const [stdout, stderr] = [new Pipe(), new Pipe()];
    const exit = await run(args, {
      stdin: { async *[Symbol.asyncIterator]() {} },
      ...{ stdout, stderr, cwd: farm.folder, now: () => Date.now(), signal: new AbortController().signal },
      env: { DISTROFARM_URL: farm.url, DISTROFARM_TOKEN: farm.adminToken, HOME: farm.folder },
    });
    return { exit, out: stdout.text, err: stderr.text };
  }
});

/** What a program that reads our pipe gets. */
class Pipe implements Output {
  text = '';
  write(data: string | Uint8Array): boolean {
    this.text += Buffer.from(data).toString();
    return true;
  }
  once(): void {
    // Never full.
  }
}
