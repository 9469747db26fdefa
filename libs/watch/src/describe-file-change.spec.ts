import { describe, expect, it } from '@jest/globals';
import type { FileChange, FileFacts } from '#libs/contracts';
import { describeFileChange } from './describe-file-change.js';

const FILE: FileFacts = { type: 'file', mode: 0o644, uid: 0, gid: 0, bytes: 1000, target: null };
const LINK: FileFacts = { ...FILE, type: 'link', bytes: 0, target: 'a' };

describe('describeFileChange', () => {
  it.each<[string, FileFacts | null, FileFacts | null, FileChange['parts']]>([
    ['1.0 kB', null, FILE, []],
    ['1.0 kB, mode 4755', null, { ...FILE, mode: 0o4755 }, []],
    ['→ a', LINK, null, []],
    ['folder', null, { ...FILE, type: 'folder', bytes: 0 }, []],
    ['character device 1:3', null, { ...FILE, type: 'character-device', bytes: 0, target: '1:3' }, []],
    ['content -400 B', FILE, { ...FILE, bytes: 600 }, ['content']],
    ['content, of the same size', FILE, FILE, ['content']],
    ['mode 644 → 4755, owner 0:0 → 7:8', FILE, { ...FILE, mode: 0o4755, uid: 7, gid: 8 }, ['mode', 'owner']],
    ['file → link', FILE, LINK, ['type']],
    ['target a → b', LINK, { ...LINK, target: 'b' }, ['target']],
  ])('%s', (said, from, to, parts) => {
    expect(describeFileChange({ path: 'x', change: 'changed', parts, from, to })).toBe(said);
  });
});
