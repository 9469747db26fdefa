import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkMembers } from './tar-members.js';
import { inPieces, makeRecord, makeTar, readAll, type MadeMember } from './testing.js';

const TOP: MadeMember = { name: './', type: '5' };
const GOOD = makeTar(
  TOP,
  { name: 'folder/', type: '5' },
  { name: 'folder/file', content: 'x'.repeat(1000) },
  { name: 'folder/again', type: '1', link: 'folder/file' },
  { name: 'out', type: '2', link: '/etc' },
  { name: 'up', type: '2', link: '../../..' },
  { name: 'null', type: '3' },
  {
    name: 'PaxHeaders/x',
    type: 'x',
    content: makeRecord('path', 'folder/long') + makeRecord('uid', '70000'),
  },
  { name: 'short', content: 'y' },
  {
    name: 'PaxHeaders/x',
    type: 'x',
    content: makeRecord('size', '600') + makeRecord('SCHILY.xattr.user.a', '1'),
  },
  { name: 'large', content: 'z'.repeat(600), sizeBytes: 0 },
);

async function check(tar: Buffer, pieceBytes?: number): Promise<Buffer> {
  return await readAll(checkMembers(inPieces(tar, pieceBytes)));
}
const extended = (...content: readonly string[]): MadeMember => ({
  name: 'x',
  type: 'x',
  content: content.join(''),
});

describe('checkMembers', () => {
  it('hands on what a tree may have, to the byte', async () => {
    const filledUp = Buffer.concat([GOOD, Buffer.alloc(5120)]);
    for (const pieceBytes of [1, 511, 512, 513, 100_000])
      expect((await check(filledUp, pieceBytes)).equals(filledUp)).toBe(true);
  });

  it.each<[string, readonly MadeMember[]]>([
    ['an absolute name', [TOP, { name: '/etc/evil' }]],
    ['a name with ..', [TOP, { name: '../evil' }]],
    ['a name with .. in the middle', [TOP, { name: 'a/', type: '5' }, { name: 'a/../../evil' }]],
    ['a name that is ..', [TOP, { name: '..', type: '5' }]],
    ['a name with . in it', [TOP, { name: './a' }]],
    ['a name with a blank part', [TOP, { name: 'a/', type: '5' }, { name: 'a//b' }]],
    ['no name', [TOP, { name: '' }]],
    ['a name in two parts', [TOP, { name: 'a', bent: { 345: '..' } }]],
    ['a file with the name of a folder', [TOP, { name: 'a/' }]],
    ['an absolute name in an extended header', [TOP, extended(makeRecord('path', '/evil')), { name: 'a' }]],
    ['.. in an extended header', [TOP, extended(makeRecord('path', 'a/../../evil')), { name: 'a' }]],
    ['a NUL in an extended header', [TOP, extended(makeRecord('path', 'a\0/../evil')), { name: 'a' }]],
    ['a file through an absolute link', [TOP, { name: 'l', type: '2', link: '/tmp' }, { name: 'l/evil' }]],
    ['a file through a relative link', [TOP, { name: 'l', type: '2', link: '..' }, { name: 'l/evil' }]],
    [
      'a folder through a link',
      [TOP, { name: 'l', type: '2', link: '/tmp' }, { name: 'l/evil/', type: '5' }],
    ],
    ['a folder in place of a link', [TOP, { name: 'l', type: '2', link: '/tmp' }, { name: 'l/', type: '5' }]],
    ['a file in place of a link', [TOP, { name: 'l', type: '2', link: '../evil' }, { name: 'l' }]],
    ['a file in a file', [TOP, { name: 'a' }, { name: 'a/b' }]],
    ['a file in no folder', [TOP, { name: 'a/b' }]],
    ['a hard link to a file outside', [TOP, { name: 'l', type: '1', link: '/etc/passwd' }]],
    ['a hard link with ..', [TOP, { name: 'l', type: '1', link: '../../etc/passwd' }]],
    ['a hard link to what comes later', [TOP, { name: 'l', type: '1', link: 'a' }, { name: 'a' }]],
    ['a hard link to a folder', [TOP, { name: 'a/', type: '5' }, { name: 'l', type: '1', link: 'a' }]],
    ['a hard link with content', [TOP, { name: 'a' }, { name: 'l', type: '1', link: 'a', content: 'evil' }]],
    [
      'a hard link in an extended header',
      [
        TOP,
        { name: 'a' },
        extended(makeRecord('linkpath', '/etc/passwd')),
        { name: 'l', type: '1', link: 'a' },
      ],
    ],
    ['no top', [{ name: 'a' }]],
    ['a top that is a link', [{ name: './', type: '2', link: '/tmp' }]],
    ['two tops', [TOP, TOP]],
    ['nothing', []],
    ['a global header', [{ ...extended(makeRecord('path', '../evil')), type: 'g' }, TOP]],
    [
      'a long name of another format',
      [TOP, { name: '././@LongLink', type: 'L', content: '../evil' }, { name: 'a' }],
    ],
    ['a file of more than one volume', [TOP, { name: 'a', type: 'M' }]],
    ['a folder with a list of what to remove', [TOP, { name: 'a/', type: 'D' }]],
    ['a sparse file of another format', [TOP, { name: 'a', type: 'S' }]],
    ['a file of the first format', [TOP, { name: 'a', type: '\0' }]],
    ['a sparse name', [TOP, extended(makeRecord('GNU.sparse.name', '../evil')), { name: 'a' }]],
    ['an attribute twice', [TOP, extended(makeRecord('path', 'a'), makeRecord('path', 'b')), { name: 'a' }]],
    ['an unknown attribute', [TOP, extended(makeRecord('SCHILY.acl.access', 'user::rwx')), { name: 'a' }]],
    ['a negative size', [TOP, extended(makeRecord('size', '-512')), { name: 'a' }]],
    ['a record that is too long', [TOP, extended('99 path=a\n'), { name: 'a' }]],
    ['a record without its length', [TOP, extended(' path=a\n'), { name: 'a' }]],
    [
      'two extended headers',
      [TOP, extended(makeRecord('uid', '1')), extended(makeRecord('uid', '1')), { name: 'a' }],
    ],
    ['an extended header of nothing', [TOP, extended(makeRecord('uid', '1'))]],
    ['an empty extended header', [TOP, extended(), { name: 'a' }]],
    ['an endless extended header', [TOP, { ...extended('x'), sizeBytes: 0o77777777777 }, { name: 'a' }]],
    ['a size that is no number', [TOP, { name: 'a', bent: { 124: '\x80' } }]],
    ['another magic', [TOP, { name: 'a', bent: { 257: 'ustar  ' } }]],
  ])('refuses %s', async (_, members) => {
    await expect(check(makeTar(...members))).rejects.toMatchObject({ code: 'BAD_STREAM' });
  });

  it('hands on nothing of what it refuses', async () => {
    const evil = makeTar(TOP, { name: '../evil', content: 'evil' });
    const handedOn: Buffer[] = [];
    const reading = async (): Promise<void> => {
      for await (const chunk of checkMembers(inPieces(evil, 512))) handedOn.push(chunk);
    };
    await expect(reading()).rejects.toMatchObject({ code: 'BAD_STREAM' });
    expect(Buffer.concat(handedOn)).toHaveLength(512);
  });

  it('refuses what goes on behind its end', async () => {
    await expect(check(Buffer.concat([GOOD, makeTar(TOP)]))).rejects.toMatchObject({ code: 'BAD_STREAM' });
  });

  it('refuses what was cut, wherever', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(GOOD.length - 1),
        fc.integer({ min: 1, max: 2000 }),
        async (length, pieceBytes) => {
          await expect(check(GOOD.subarray(0, length), pieceBytes)).rejects.toMatchObject({
            code: 'BAD_STREAM',
          });
        },
      ),
    );
  });

  it('fails with its code, whatever comes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(GOOD.length - 1),
        fc.uint8Array({ minLength: 1, maxLength: 600 }),
        async (at, noise) => {
          const bent = Buffer.from(GOOD);
          bent.set(noise.subarray(0, bent.length - at), at);
          const code = await check(bent).then(
            () => 'BAD_STREAM',
            (error: unknown) => (error as { code?: unknown }).code,
          );
          expect(code).toBe('BAD_STREAM');
        },
      ),
    );
  });
});
