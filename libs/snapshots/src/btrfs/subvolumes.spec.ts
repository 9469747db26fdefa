import { describe, expect, it } from '@jest/globals';
import { codeOf } from './btrfs-command.js';
import { parseSubvolume } from './subvolumes.js';

const SHOWN = `area/.checkpoints/main/a/tree
	Name: 			tree
	UUID: 			2649609e-998a-ea48-84ca-fa64e58659d2
	Parent UUID: 		a00b8992-8247-2c40-b20b-def977c9f3fa
	Received UUID: 		-
	Creation time: 		2026-11-24 18:14:47 +0000
	Subvolume ID: 		257
	Generation: 		8
	Gen at creation: 	8
	Parent ID: 		5
	Top level ID: 		5
	Flags: 			readonly
	Send transid: 		0
	Send time: 		2026-11-24 18:14:47 +0000
	Receive transid: 	0
	Receive time: 		-
	Snapshot(s):
				UUID: 			00000000-0000-0000-0000-000000000000
`;

describe('btrfs subvolume show', () => {
  it('is read', () => {
    expect(parseSubvolume(SHOWN)).toEqual({
      uuid: '2649609e-998a-ea48-84ca-fa64e58659d2',
      parentUuid: 'a00b8992-8247-2c40-b20b-def977c9f3fa',
      receivedUuid: null,
      isReadOnly: true,
    });
  });

  it('is not believed without a UUID', () => {
    expect(() => parseSubvolume('/\n\tName: \t\t<FS_TREE>\n')).toThrow('without a UUID');
  });
});

describe('what btrfs says', () => {
  it.each([
    ["ERROR: cannot snapshot 'main': No space left on device", 'NO_SPACE'],
    ["ERROR: cannot access 'x': No such file or directory", 'NOT_FOUND'],
    ['ERROR: Could not destroy subvolume/snapshot: Operation not permitted', 'BUSY'],
    ['ERROR: Could not destroy subvolume/snapshot: Directory not empty', 'FAILED'],
    ["ERROR: cannot create subvolume: target path already exists: 'x'", 'EXISTS'],
    ['ERROR: failed to read: Input/output error', 'BACKEND_DOWN'],
    ['mount: /x/.checkpoints: permission denied.', 'BACKEND_DOWN'],
    ['ERROR: crc32 mismatch in command', 'FAILED'],
    ['', 'FAILED'],
  ])('%j is %s', (stderr, code) => {
    expect(codeOf(stderr)).toBe(code);
  });
});
