import { describe, expect, it } from '@jest/globals';
import { buildAreaName, normalBuildArea, snapshotName } from './build-area.js';
import * as rules from './value-rule.js';

const A = (length: number): string => 'a'.repeat(length);

const table: readonly (readonly [rule: string, accepted: readonly string[], refused: readonly string[]])[] = [
  ['boolean', ['true', 'false', '1', '0'], ['TRUE', 'yes', '', '01']],
  ['unsignedInt', ['0', '+1', '007', '4294967295'], ['-1', '1.5', '4294967296', '', '1e3', 'x']],
  ['compressionLevel', ['0', '9'], ['10', '300', '-1', '']],
  ['sizeInGigabytes', ['0', '1.5', '.5', '2.'], ['-1', '', '.', 'INF', 'NaN', '1,5']],
  [
    'distributionName',
    ['Acme_Tiny_X86', '20100914-1305', 'a', A(32)],
    [A(33), '', 'a b', '-a', '.a', 'a/b', "Joe's", 'a\nb', 'ä'],
  ],
  [
    'partName',
    ['im-pop', 'ba_arch.32', '64bit', A(63)],
    [A(64), '', '42', 'a b', 'a/b', 'a@b', '-a', '.a', 'a\n'],
  ],
  [
    'packageName',
    ['vim', 'pkg:/entire@0.5.11-0.151', 'libc6:i386', 'g++', 'vim=2:9.0~1,x'],
    ['', 'a*', 'a b', "a'b", 'a"b', 'a$b', 'a|b', 'a\\b', 'a#', '{a}', '[a]', '<a>', '(a)', '50%', 'a?'],
  ],
  [
    'hostName',
    ['solaris', 'my-host', 'a.b', '1a', A(63)],
    ['', '-a', 'a-', 'a..b', '.a', 'a_b', A(64), 'a b'],
  ],
  ['absolutePath', ['/', '/a b'], ['', 'a', '/a\nb']],
  ['imagePath', ['kernel', 'etc/a..b', '/etc'], ['', '..', 'a/../b', '../etc']],
  [
    'outputPath',
    ['media/x.iso', 'tmp/a/b'],
    ['media', 'media/', '/media/x', 'etc/x', 'tmp/../x', 'tmp/./x', 'tmp//x'],
  ],
  ['duration', ['90', '90s', '30m', '2h'], ['', '0', '0h', '1d', '-1', '1.5h', 'm']],
  ['size', ['0', '500M', '20G', '123456789012'], ['', '20g', '20GB', '-1', '1.5G']],
  ['wordList', ['a', 'a b-c  x_1.2'], ['', 'a;b', 'a,b']],
];

describe('value rules', () => {
  it.each(table)('%s', (name, accepted, refused) => {
    const rule = rules[name as keyof typeof rules] as rules.ValueRule;
    expect(accepted.filter((value) => !rule.accepts(value))).toEqual([]);
    expect(refused.filter((value) => rule.accepts(value))).toEqual([]);
  });

  it('reads times and sizes', () => {
    expect(['90', '90s', '30m', '2h'].map(rules.durationSeconds)).toEqual([90, 90, 1800, 7200]);
    expect(['7', '1K', '2M', '20G', '1T'].map(rules.sizeBytes)).toEqual([
      7,
      1024,
      2 ** 21,
      20 * 2 ** 30,
      2 ** 40,
    ]);
  });
});

describe('buildAreaName', () => {
  it.each([
    'rpool/dc',
    'rpool/dc/',
    'tank/a/b:c_d.e-f',
    '/export/dc',
    '/export/dc/',
    '/a b/c',
    'mirrors/x',
    'loggy/a',
  ])('accepts %j', (value) => {
    expect(buildAreaName.accepts(value)).toBe(true);
  });

  it.each([
    ...[
      '',
      '/',
      'rpool',
      'rpool/',
      '../dc',
      'rpool/../dc',
      '/a/../b',
      '/a/./b',
      'rpool/.',
      'rpool/dc@now',
      'rpool/dc#x',
    ],
    ...[
      'rpool/dc; touch x',
      'rpool/$(id)',
      'rpool/`id`',
      "rpool/'",
      '/a"b',
      '/a\nb',
      '/a;b',
      '/a$b',
      'rpool/a b',
      '-r/x',
    ],
    ...['rpool/-r', '1pool/x', 'mirror/x', 'raidz2/x', 'log/x', `rpool/${A(260)}`, 'rpool/ä'],
  ])('refuses %j', (value) => {
    expect(buildAreaName.accepts(value)).toBe(false);
  });

  it('drops trailing and doubled slashes', () => {
    expect(['rpool/dc/', 'rpool//dc', '/export/dc//', '/'].map(normalBuildArea)).toEqual([
      'rpool/dc',
      'rpool/dc',
      '/export/dc',
      '/',
    ]);
  });

  it('names the snapshots that have to fit', () => {
    expect(snapshotName('rpool/dc', 'main', 'iso')).toBe('rpool/dc/build_data@.step_iso');
    expect(snapshotName('rpool/dc', 'ba-64', 'ba')).toBe('rpool/dc/build_data.ba-64@.step_ba');
  });
});
