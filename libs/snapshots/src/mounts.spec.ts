import { describe, expect, it } from '@jest/globals';
import { isHeldIn, mountHolders, parseMountinfo, type Mount } from './mounts.js';

describe('parseMountinfo', () => {
  it('reads what the kernel writes, whatever the names', () => {
    const text = [
      '21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
      '69 21 0:41 / /a\\040b/c\\012d\\134 rw master:1 propagate_from:1 - fuse.zfs tank/a\\040b rw,user_id=0',
      '',
    ].join('\n');
    expect(parseMountinfo(text)).toEqual([
      {
        id: '21',
        parentId: '1',
        device: '254:0',
        path: '/',
        groups: ['shared:1'],
        type: 'ext4',
        source: '/dev/vda',
      },
      {
        id: '69',
        parentId: '21',
        device: '0:41',
        path: '/a b/c\nd\\',
        groups: ['master:1', 'propagate_from:1'],
        type: 'fuse.zfs',
        source: 'tank/a b',
      },
    ]);
  });
});

describe('mountHolders', () => {
  it('finds nobody where nothing is mounted', async () => {
    expect(await mountHolders(import.meta.dirname)).toEqual([]);
  });
});

describe('isHeldIn', () => {
  const root = (id: string, ...groups: readonly string[]): Mount => ({
    id,
    parentId: '1',
    device: '254:0',
    path: '/',
    groups,
    type: 'ext4',
    source: '/dev/vda',
  });
  const workspace = (id: string, parentId: string): Mount => ({
    id,
    parentId,
    device: '0:41',
    path: '/dc',
    groups: [],
    type: 'zfs',
    source: 'tank/dc',
  });
  const ours = [root('21', 'shared:1'), workspace('69', '21')];

  it.each<[string, readonly Mount[], boolean]>([
    ['our own namespace, seen through a process that hides it', ours, false],
    ['one without the mount', [root('31')], false],
    ['a private copy', [root('31'), workspace('79', '31')], true],
    ['a copy that hears of unmounts', [root('31', 'master:1'), workspace('79', '31')], false],
    ['a copy that shares with us', [root('31', 'shared:1'), workspace('79', '31')], false],
  ])('%s', (_, theirs, expected) => {
    expect(isHeldIn(theirs, workspace('69', '21'), ours)).toBe(expected);
  });
});
