// needs: root, python3, GNU tar, a file system with extended attributes in the temporary folder
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { lstat, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import fc from 'fast-check';
import type { PackedTree } from '#libs/contracts';
import { packTree, unpackTree } from './pack-tree.js';
import type { PieceFile } from './piece-reader.js';
import { describeTree, python } from './testing.js';
import { treeDigest } from './tree-digest.js';

let folder: string;
let from: string;
let to: string;
let packed: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pack-tree-'));
  [from, to, packed] = [join(folder, 'from'), join(folder, 'to'), join(folder, 'packed')];
  for (const path of [from, to, packed]) await mkdir(path);
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

/** One of each that a root file system has. */
const EVERYTHING = String.raw`
import os, socket, struct
os.makedirs('t/empty'); os.makedirs('t/acl')
open('t/a', 'w').write('content'); os.link('t/a', 't/b'); os.symlink('a', 't/link'); os.link('t/link', 't/link2')
os.symlink('/etc/passwd', 't/absolute'); os.symlink('../../..', 't/up')
os.mknod('t/null', 0o20666, os.makedev(1, 3)); os.mknod('t/disk', 0o60640, os.makedev(8, 1)); os.mkfifo('t/fifo')
open(b't/n\n\xff-\\x\\n', 'w').write('q'); open('t/-rf', 'w'); open('t/' + 'l' * 250, 'w')
open('t/setuid', 'w'); os.chown('t/setuid', 3000000, 70000); os.chmod('t/setuid', 0o6755)
with open('t/sparse', 'wb') as f: f.seek(50000000); f.write(b'x'); f.truncate(60000000)
open('t/cap', 'w'); os.setxattr('t/cap', 'security.capability', struct.pack('<IIIII', 0x02000001, 1 << 13, 0, 0, 0))
os.setxattr('t/a', 'user.x', b'v\n\0=w'); os.setxattr('t/empty', 'trusted.y', b'1')
acl = lambda *es: struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *e) for e in es)
N = 0xffffffff
os.setxattr('t/b', 'system.posix_acl_access', acl((1, 6, N), (2, 4, 1000), (4, 4, N), (16, 4, N), (32, 4, N)))
open('t/acl/plain', 'w')
os.setxattr('t/acl', 'system.posix_acl_default', acl((1, 7, N), (2, 7, 1234), (4, 5, N), (16, 7, N), (32, 5, N)))
os.utime('t/a', ns=(1, 1234567890123456789)); os.utime('t/cap', ns=(1, -5000000001)); os.utime('t/link', ns=(1, 987654321), follow_symlinks=False)
s = socket.socket(socket.AF_UNIX); s.bind('t/socket')
os.utime('t/acl', ns=(1, 77)); os.utime('t', ns=(1, 1000000001)); os.chmod('t', 0o2750); os.chown('t', 12, 34)
`;

describe('packTree and unpackTree', () => {
  it('give back a tree with everything a root file system has', async () => {
    await python(from, EVERYTHING);
    const tree = await packTree(from, 't', packed);
    await unpackTree(filesOf(tree), to, 'usr/share/t', tree.treeSha256);
    expect(await describeTree(join(to, 'usr/share/t'))).toEqual(await describeTree(join(from, 't')));
    expect(tree.treeSha256).toBe(await treeDigest(join(from, 't')));
    expect((await lstat(join(to, 'usr/share/t/sparse'))).blocks).toBeLessThan(100);
  });

  it('give back a whole workspace, its top included', async () => {
    await python(from, EVERYTHING);
    const tree = await packTree(join(from, 't'), '', packed);
    await unpackTree(filesOf(tree), to, '', tree.treeSha256);
    expect(await describeTree(to)).toEqual(await describeTree(join(from, 't')));
  });

  it('say the digests and the lengths of what they wrote, the same each time', async () => {
    await python(from, EVERYTHING);
    const tree = await packTree(from, 't', packed);
    for (const { sha256, bytes } of tree.pieces) {
      const content = await readFile(join(packed, sha256));
      expect([sha256Of(content), content.length]).toEqual([sha256, bytes]);
    }
    expect((await readdir(packed)).length).toBe(tree.pieces.length);
    await rm(packed, { recursive: true });
    await mkdir(packed);
    expect(await packTree(from, 't', packed)).toEqual(tree);
  });

  it('have a large file as a piece of its own, which other trees with it share', async () => {
    await python(from, LARGE);
    const tree = await packTree(from, 't', packed);
    const large = { sha256: sha256Of(await readFile(join(from, 't/large'))), bytes: 3_000_001 };
    expect(tree.pieces).toHaveLength(5);
    expect(tree.pieces.slice(1, 4)).toEqual([large, expect.anything(), large]);
    await mkdir(join(folder, 'other'));
    const other = await packTree(from, 'u', join(folder, 'other'));
    expect(other.pieces).toContainEqual(large);
    await unpackTree(filesOf(tree), to, 't', tree.treeSha256);
    expect(await describeTree(join(to, 't'))).toEqual(await describeTree(join(from, 't')));
  });

  it.each([
    ['a file', `open('t', 'w').write('x')`],
    ['an empty file with a strange name beside it', `open('t', 'w'); open('-t', 'w')`],
    ['a symbolic link that leads out', `import os; os.symlink('/etc/passwd', 't')`],
    ['a device', `import os; os.mknod('t', 0o20666, os.makedev(1, 3))`],
    ['an empty folder', `import os; os.mkdir('t', 0o700)`],
  ])('carry %s, in place of what is there', async (_, make) => {
    await python(from, make);
    await python(to, `import os; os.makedirs('t/old'); open('t/old/file', 'w')`);
    const tree = await packTree(from, 't', packed);
    await unpackTree(filesOf(tree), to, 't', tree.treeSha256);
    expect(await describeTree(join(to, 't'))).toEqual(await describeTree(join(from, 't')));
    expect(await readdir(to)).toEqual(['t']);
  });

  it('give back any tree', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(ENTRY, { maxLength: 25 }), async (entries) => {
        await python(from, MAKE_RANDOM, JSON.stringify(entries));
        const tree = await packTree(from, 't', packed);
        await unpackTree(filesOf(tree), to, 't', tree.treeSha256);
        expect(await describeTree(join(to, 't'))).toEqual(await describeTree(join(from, 't')));
        expect(await readdir(to)).toEqual(['t']);
      }),
      { numRuns: 15 },
    );
  }, 60_000);

  it('leave nothing in place when they are aborted', async () => {
    await python(from, EVERYTHING);
    const aborted = AbortSignal.abort(new Error('cancelled'));
    await expect(packTree(from, 't', packed, aborted)).rejects.toThrow('cancelled');
    const tree = await packTree(from, 't', packed);
    await expect(unpackTree(filesOf(tree), to, 'deep/t', tree.treeSha256, aborted)).rejects.toThrow(
      'cancelled',
    );
    expect(await readdir(to)).toEqual([]);
  });

  it('say that there is no room to pack, and end tar', async () => {
    await python(from, LARGE);
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'none', packed]);
    try {
      await expect(packTree(from, 't', packed)).rejects.toMatchObject({ code: 'ENOSPC' });
    } finally {
      await execa('umount', [packed]);
    }
  });

  it('does not pack or unpack behind a link that leads out', async () => {
    await mkdir(join(folder, 'outside'));
    await writeFile(join(folder, 'outside/t'), 'x');
    for (const root of [from, to]) await symlink(join(folder, 'outside'), join(root, 'out'));
    await expect(packTree(from, 'out/t', packed)).rejects.toMatchObject({ code: 'OUTPUT_OUTSIDE' });
    await expect(packTree(from, 'nothing', packed)).rejects.toMatchObject({ code: 'OUTPUT_MISSING' });
    const tree = await packTree(from, 'out', packed);
    await expect(unpackTree(filesOf(tree), to, 'out/new/t', tree.treeSha256)).rejects.toMatchObject({
      code: 'OUTPUT_OUTSIDE',
    });
    expect(await readdir(join(folder, 'outside'))).toEqual(['t']);
  });

  it('wants an empty folder for a whole workspace', async () => {
    const tree = await packTree(from, '', packed);
    await writeFile(join(to, 'mine'), 'x');
    await expect(unpackTree(filesOf(tree), to, '', tree.treeSha256)).rejects.toMatchObject({
      code: 'NOT_EMPTY',
    });
    expect(await readdir(to)).toEqual(['mine']);
  });
});

describe('unpackTree, of an archive that somebody else made', () => {
  const MEMBERS = String.raw`
import io, sys, tarfile
def member(name, type=tarfile.REGTYPE, link='', data=b'evil', **pax):
    m = tarfile.TarInfo(name); m.type = type; m.linkname = link; m.pax_headers = pax
    m.size = len(data) if type == tarfile.REGTYPE else 0
    return m, io.BytesIO(data)
top = member('./', tarfile.DIRTYPE)
def write(*members, format=tarfile.PAX_FORMAT, **options):
    with tarfile.open('../packed/tar', 'w', format=format, **options) as t:
        for m, data in members: t.addfile(m, data)
`;

  it.each([
    ['an absolute name', `write(top, member('/etc/evil'))`],
    ['a name with ..', `write(top, member('./../evil'))`],
    ['a name with .. in the middle', `write(top, member('./a', tarfile.DIRTYPE), member('./a/../../evil'))`],
    ['a long name with ..', `write(top, member('./' + 'x' * 120 + '/../../evil'))`],
    ['a name in an extended header', `write(top, member('./ok', path='../evil'))`],
    [
      'a file through an absolute link',
      `write(top, member('./l', tarfile.SYMTYPE, '/tmp'), member('./l/evil'))`,
    ],
    [
      'a file through a relative link',
      `write(top, member('./l', tarfile.SYMTYPE, '..'), member('./l/evil'))`,
    ],
    ['a file in place of a link', `write(top, member('./l', tarfile.SYMTYPE, '../evil'), member('./l'))`],
    ['a hard link to a file outside', `write(top, member('./l', tarfile.LNKTYPE, '/etc/passwd'))`],
    ['a hard link with ..', `write(top, member('./l', tarfile.LNKTYPE, './../../../etc/passwd'))`],
    [
      'a hard link in an extended header',
      `write(top, member('./l', tarfile.LNKTYPE, './a', linkpath='/etc/passwd'))`,
    ],
    ['a hard link to what comes later', `write(top, member('./l', tarfile.LNKTYPE, './a'), member('./a'))`],
    ['a top that is a link', `write(member('./', tarfile.SYMTYPE, '/tmp'), member('./evil'))`],
    ['two tops', `write(member('./a'), member('./b'))`],
    ['a folder that is not there', `write(top, member('./a/b'))`],
    ['another format', `write(top, member('./a'), format=tarfile.GNU_FORMAT)`],
    ['a long name of another format', `write(top, member('./' + 'x' * 200), format=tarfile.GNU_FORMAT)`],
    ['a name in two parts', `write(top, member('./' + 'x/' * 60 + 'y'), format=tarfile.USTAR_FORMAT)`],
    ['a global header', `write(top, member('./a'), pax_headers={'path': '../evil'})`],
    ['a sparse name', `write(top, member('./a', **{'GNU.sparse.name': '../evil'}))`],
    ['nothing', `write()`],
    ['no archive at all', `open('../packed/tar', 'w').write('x' * 2000)`],
  ])('refuses %s, and leaves nothing', async (_, make) => {
    await python(from, MEMBERS + make);
    const refused = expect.stringMatching(/^TREE_(REFUSED|BROKEN)$/);
    await expect(unpackTree(theTar(), to, 'a/t', ANOTHER)).rejects.toMatchObject({ code: refused });
    await expect(unpackTree(theTar(), to, '', ANOTHER)).rejects.toMatchObject({ code: refused });
    expect(await readdir(to)).toEqual([]);
    expect((await readdir(folder)).toSorted()).toEqual(['from', 'packed', 'to']);
  });

  it('refuses another tree than it was promised', async () => {
    await python(from, MEMBERS + `write(top, member('./a'))`);
    await writeFile(join(to, 't'), 'mine');
    for (const path of ['t', 'new/t']) {
      await expect(unpackTree(theTar(), to, path, ANOTHER)).rejects.toMatchObject({ code: 'TREE_DIFFERS' });
    }
    expect(await readdir(to)).toEqual(['t']);
    expect(await readFile(join(to, 't'), 'utf8')).toBe('mine');
  });

  it('refuses an archive that was cut, wherever, and leaves nothing', async () => {
    await python(from, EVERYTHING);
    const tree = await packTree(from, 't', packed);
    const [file] = filesOf(tree);
    const whole = await readFile(file!.path);
    const end = whole.findLastIndex((byte) => byte !== 0);
    const cuts = [0, 1, 511, 512, 1024, 5000, end >> 1, ((end >> 9) + 1) << 9, end];
    for (const cut of cuts) {
      await writeFile(file!.path, whole.subarray(0, cut));
      await expect(unpackTree([file!], to, 't', tree.treeSha256)).rejects.toMatchObject({
        code: 'TREE_BROKEN',
      });
      expect(await readdir(to)).toEqual([]);
    }
  });

  it('refuses an archive with one changed bit, wherever, and leaves nothing', async () => {
    await python(from, `import os; os.mkdir('t'); open('t/a', 'w').write('a' * 1000); os.link('t/a', 't/b')`);
    const tree = await packTree(from, 't', packed);
    const [file] = filesOf(tree);
    const whole = await readFile(file!.path);
    const end = whole.findLastIndex((byte) => byte !== 0);
    await fc.assert(
      fc.asyncProperty(fc.nat(end), fc.nat(7), async (at, bit) => {
        const damaged = Buffer.from(whole);
        damaged[at] = damaged[at]! ^ (1 << bit);
        await writeFile(file!.path, damaged);
        await expect(unpackTree([file!], to, 't', tree.treeSha256)).rejects.toMatchObject({
          code: expect.stringMatching(/^TREE_/),
        });
        expect(await readdir(to)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it('refuses pieces with one changed bit in a large file, or in another order', async () => {
    await python(from, LARGE);
    const tree = await packTree(from, 't', packed);
    const files = filesOf(tree);
    const [first, large, ...rest] = files;
    await expect(unpackTree([large!, first!, ...rest], to, 't', tree.treeSha256)).rejects.toMatchObject({
      code: 'TREE_BROKEN',
    });
    await python(folder, `f = open('${large!.path}', 'r+b'); f.seek(2999999); f.write(b'y')`);
    await expect(unpackTree(files, to, 't', tree.treeSha256)).rejects.toMatchObject({
      code: 'TREE_BROKEN',
    });
    expect(await readdir(to)).toEqual([]);
  });

  it('says so where the file system cannot keep what an image would show', async () => {
    await execa('mount', ['-t', 'ramfs', 'none', to]);
    try {
      await python(from, `import os; os.mkdir('t'); open('t/a', 'w'); os.chmod('t/a', 0o600)`);
      const plain = await packTree(from, 't', packed);
      await unpackTree(filesOf(plain), to, 't', plain.treeSha256);
      expect(await treeDigest(join(to, 't'))).toBe(plain.treeSha256);
      await python(from, `import os; os.setxattr('t/a', 'user.x', b'1')`);
      const tree = await packTree(from, 't', packed);
      await expect(unpackTree(filesOf(tree), to, 'u', tree.treeSha256)).rejects.toMatchObject({
        code: 'ATTRIBUTES_LOST',
      });
      expect(await readdir(to)).toEqual(['t']);
    } finally {
      await execa('umount', [to]);
    }
  });
});

/** `name` is latin1: bytes as characters. Folders nest by `inside`, the number of an earlier entry. */
const ENTRY = fc.record({
  kind: fc.constantFrom('file', 'file', 'folder', 'folder', 'symlink', 'hard-link', 'device', 'sparse'),
  name: fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  inside: fc.nat(30),
  mode: fc.nat(0o7777),
  owner: fc.constantFrom(0, 1, 65534, 3_000_000),
  mtimeNs: fc.bigInt(-1_000_000_000_000_000_000n, 4_000_000_000_000_000_000n).map(String),
  size: fc.nat(20_000),
  attribute: fc.option(fc.string({ maxLength: 30 }), { nil: null }),
});
const MAKE_RANDOM = String.raw`
import json, os, shutil, sys
shutil.rmtree('t', ignore_errors=True); os.mkdir('t')
folders, files, made = [b't'], [], []
for e in json.load(sys.stdin):
    name = bytes(c for c in e['name'].encode('latin1') if c not in (0, 47))
    if name in (b'', b'.', b'..'): name = b'x'
    path = folders[e['inside'] % len(folders)] + b'/' + name
    if os.path.lexists(path): continue
    kind = e['kind']
    if kind == 'folder': os.mkdir(path); folders.append(path)
    elif kind == 'symlink': os.symlink(name * (1 + e['size'] % 9), path)
    elif kind == 'device': os.mknod(path, 0o20600, os.makedev(e['size'] % 255, e['inside']))
    elif kind == 'hard-link' and files: os.link(files[e['inside'] % len(files)], path)
    else:
        with open(path, 'wb') as f:
            if kind == 'sparse': f.seek(e['size'] * 50)
            f.write(name * (e['size'] // len(name)))
            if kind == 'sparse': f.truncate(e['size'] * 100)
        files.append(path)
    made.append((path, e))
for path, e in reversed(made):
    os.chown(path, e['owner'], e['owner'], follow_symlinks=False)
    if not os.path.islink(path): os.chmod(path, e['mode'])
    if e['attribute'] is not None and not os.path.islink(path) and (os.path.isfile(path) or os.path.isdir(path)):
        os.setxattr(path, 'user.' + (e['attribute'].encode().hex() or 'empty'), e['attribute'].encode())
    os.utime(path, ns=(1, int(e['mtimeNs'])), follow_symlinks=False)
`;

/** Two trees that have files of three megabytes in common. */
const LARGE = String.raw`
import os
for t in 'tu':
    os.mkdir(t)
    open(t + '/' + t, 'w').write(t)
    open(t + '/large', 'wb').write(b'x' * 3000001)
os.chmod('t/large', 0o4711)
open('t/large2', 'wb').write(b'x' * 3000001)
`;

const ANOTHER = '0'.repeat(64);

function theTar(): readonly PieceFile[] {
  return [{ path: join(packed, 'tar') }];
}

function filesOf({ pieces }: PackedTree): readonly PieceFile[] {
  return pieces.map(({ sha256 }) => ({ path: join(packed, sha256), sha256 }));
}

function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
