import { describe, expect, it } from '@jest/globals';
import { mountHolders, parseMountinfo } from './mounts.js';

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
