// Needs root: it makes a device, and gives files away.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, chown, lchown, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { comparePaths, type ListedEntry } from './listed-entry.js';
import { listTree, type KeptFile } from './list-tree.js';

const sha256 = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');

describe('listTree', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'list-tree-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  async function listed(kept: KeptFile | null = null): Promise<readonly ListedEntry[]> {
    const entries: ListedEntry[] = [];
    for await (const entry of listTree(root, kept)) entries.push(entry);
    return entries;
  }

  it('tells of everything what it is, in order, with names of any bytes', async () => {
    await mkdir(join(root, 'a'));
    await chmod(join(root, 'a'), 0o1777);
    await writeFile(join(root, 'a/small'), 'x');
    await writeFile(join(root, 'a.b'), '');
    await chown(join(root, 'a/small'), 7, 8);
    await chmod(join(root, 'a/small'), 0o4755);
    const big = Buffer.alloc(700_000, 'big');
    await writeFile(join(root, 'big'), big);
    await symlink('../../../etc/shadow', join(root, 'link'));
    await lchown(join(root, 'link'), 1, 1);
    execFileSync('mkfifo', ['-m', '600', join(root, 'pipe')]);
    execFileSync('mknod', ['-m', '666', join(root, 'null'), 'c', '1', '3']);
    execFileSync('mknod', ['-m', '660', join(root, 'disk'), 'b', '259', '70000']);
    await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x0a])]), 'x');
    const entries = await listed();
    expect(entries.map(({ path }) => path)).toEqual(entries.map(({ path }) => path).toSorted(comparePaths));
    const common = { mode: 0o644, uid: 0, gid: 0, bytes: 0 };
    expect(entries).toEqual([
      { ...common, path: 'a', type: 'd', mode: 0o1777, detail: '' },
      { path: 'a/small', type: 'f', mode: 0o4755, uid: 7, gid: 8, bytes: 1, detail: sha256('x') },
      { ...common, path: 'a.b', type: 'f', detail: sha256('') },
      { ...common, path: 'big', type: 'f', bytes: big.length, detail: sha256(big) },
      { ...common, path: 'disk', type: 'b', mode: 0o660, detail: '259:70000' },
      { ...common, path: 'link', type: 'l', mode: 0o777, uid: 1, gid: 1, detail: '../../../etc/shadow' },
      { ...common, path: 'null', type: 'c', mode: 0o666, detail: '1:3' },
      { ...common, path: 'pipe', type: 'p', mode: 0o600, detail: '' },
      { ...common, path: '\xff\n', type: 'f', bytes: 1, detail: sha256('x') },
    ]);
  });

  it('keeps the one file that is wanted, and follows no link to it', async () => {
    const kept: string[] = [];
    const wanted = {
      path: 'var/status',
      mostBytes: 10,
      keep: (content: Buffer) => kept.push(content.toString()),
    };
    await mkdir(join(root, 'elsewhere'));
    await writeFile(join(root, 'elsewhere/status'), 'secret');
    await symlink('elsewhere', join(root, 'var'));
    await listed(wanted);
    expect(kept).toEqual([]);
    await rm(join(root, 'var'));
    await mkdir(join(root, 'var'));
    await symlink('../elsewhere/status', join(root, 'var/status'));
    await listed(wanted);
    expect(kept).toEqual([]);
    await rm(join(root, 'var/status'));
    await writeFile(join(root, 'var/status'), 'more than ten');
    await listed(wanted);
    expect(kept).toEqual([]);
    await writeFile(join(root, 'var/status'), 'exactly 10');
    await listed(wanted);
    expect(kept).toEqual(['exactly 10']);
  });

  it('ends when it is told to', async () => {
    await writeFile(join(root, 'a'), 'x');
    await writeFile(join(root, 'b'), 'x');
    const stop = new AbortController();
    const entries = listTree(root, null, stop.signal);
    await entries.next();
    stop.abort(new Error('enough'));
    await expect(entries.next()).rejects.toThrow('enough');
  });
});
