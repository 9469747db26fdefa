import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RecordedStep } from '#libs/plan';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReuseRecord } from './reuse-record.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reuse-record-'));
});
afterEach(async () => rm(folder, { recursive: true }));

const read = (manifest = '/m.xml'): ReuseRecord => ReuseRecord.read(folder, manifest);
const STATE = { workspace: 'build_data', key: 'k', media: [['a.iso', '100644 0 0 0 ab']] } as const;

function step(digest: string): RecordedStep {
  const ingredients = {
    script: 's',
    args: ['x'],
    reads: [['name', '[]']],
    variables: [],
    fingerprint: '',
    tools: [['xorriso', ['1.5']]],
    sourceDateEpoch: 1,
  } as const;
  return { digest, ingredients };
}

describe('ReuseRecord', () => {
  it('gives back what was written, to root only', async () => {
    const record = read();
    record.begin(7, 'de');
    record.addState('1', STATE);
    record.addStep('de', 'b1', 'pop', step('d'));
    record.addTime('pop', 10);
    record.write();
    const again = read();
    expect(again.imageTime).toBe(7);
    expect(again.state('1')).toEqual(STATE);
    expect(again.earlierStep('de', 'pop')).toEqual({ build: 'b1', step: step('d') });
    expect(again.usualTime('pop')).toBe(10);
    const [file] = await readdir(folder);
    expect((await stat(join(folder, file!))).mode & 0o777).toBe(0o600);
  });

  it('knows nothing at first, nor without a folder, nor of another manifest', () => {
    const record = read();
    record.begin(7, '');
    record.addState('1', STATE);
    record.write();
    for (const empty of [read('/other.xml'), ReuseRecord.read(null, '/m.xml')]) {
      expect(empty.imageTime).toBeNull();
      expect(empty.state('1')).toBeNull();
      expect(empty.earlierStep('', 'pop')).toBeNull();
      expect(empty.usualTime('pop')).toBeNull();
    }
  });

  it.each(['', '{', '[]', '{"format":1}', '{"format":2,"manifest":"/m.xml"}'])(
    'takes a file with %j for none',
    async (text) => {
      read().write();
      const [file] = await readdir(folder);
      await writeFile(join(folder, file!), text);
      expect(read().imageTime).toBeNull();
    },
  );

  it('compares a step with that of the variant, or of the one built last', () => {
    const record = read();
    record.begin(7, 'de');
    record.addStep('de', 'b1', 'pop', step('de'));
    expect(record.earlierStep('fr', 'pop')).toMatchObject({ build: 'b1', step: { digest: 'de' } });
    record.begin(7, 'fr');
    record.addStep('fr', 'b2', 'pop', step('fr'));
    expect(record.earlierStep('de', 'pop')).toMatchObject({ build: 'b1', step: { digest: 'de' } });
    expect(record.earlierStep('es', 'pop')).toMatchObject({ build: 'b2', step: { digest: 'fr' } });
  });

  it('remembers the variants that were built last', () => {
    const record = read();
    for (let at = 0; at < 25; at += 1) record.addStep(`v${at}`, 'b1', 'pop', step('d'));
    record.addStep('v5', 'b2', 'pop', step('d'));
    record.addStep('new', 'b3', 'pop', step('d'));
    const known = ['v4', 'v5', 'v6', 'v7', 'v24'].filter((name) => record.earlierStep(name, 'pop') !== null);
    expect(known).toEqual(['v5', 'v7', 'v24']);
  });

  it('forgets states of a workspace that are gone, and no others', () => {
    const record = read();
    record.addState('1', STATE);
    record.addState('2', STATE);
    record.addState('3', { ...STATE, workspace: 'build_data.l' });
    record.keepStates('build_data', new Set(['2']));
    expect(['1', '2', '3'].filter((id) => record.state(id) !== null)).toEqual(['2', '3']);
  });

  it('tells the median of the last five times', () => {
    const record = read();
    for (const ms of [1000, 1, 9, 5, 7, 3]) record.addTime('pop', ms);
    expect(record.usualTime('pop')).toBe(5);
  });

  it('takes a step for a step, whatever its name', () => {
    const record = read();
    expect(record.usualTime('constructor')).toBeNull();
    expect(record.earlierStep('constructor', 'constructor')).toBeNull();
    record.begin(7, 'constructor');
    record.addTime('constructor', 1);
    record.addStep('constructor', 'b1', 'constructor', step('d'));
    record.write();
    expect(read().usualTime('constructor')).toBe(1);
    expect(read().earlierStep('constructor', 'constructor')).toMatchObject({ build: 'b1' });
  });
});
