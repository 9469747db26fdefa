import { describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { ByteReader } from './byte-reader.js';
import { crc32c } from './crc32c.js';
import { checkedSendStream, encodeCommand, encodeTimes, type ExpectedStream } from './send-stream.js';

const SENDERS = 'aaaaaaaa-0000-4000-8000-000000000001';
const SENDERS_BASE = 'aaaaaaaa-0000-4000-8000-000000000002';
const OURS = 'bbbbbbbb-0000-4000-8000-000000000001';
const OUR_BASE = 'bbbbbbbb-0000-4000-8000-000000000002';
const OWN = 'bbbbbbbb-0000-4000-8000-000000000003';

const WHOLE: ExpectedStream = { name: 'tree', receivedUuid: OURS, base: null };
const INCREMENT: ExpectedStream = {
  name: 'tree',
  receivedUuid: OURS,
  base: { receivedUuid: OUR_BASE, own: null },
};

const [UUID, GENERATION, MODE, PATH, PATH_TO, PATH_LINK] = [1, 2, 5, 15, 16, 17];
const [FILE_OFFSET, DATA, CLONE_UUID, CLONE_PATH] = [18, 19, 20, 22];

const text = (value: string): Buffer => Buffer.from(value);
const uuid = (value: string): Buffer => Buffer.from(value.replaceAll('-', ''), 'hex');
const NUMBER = Buffer.alloc(8);

const HEADER = text('btrfs-stream\0\x01\0\0\0');
const SUBVOLUME = encodeCommand(1, [
  [PATH, text('tree')],
  [UUID, uuid(SENDERS)],
  [GENERATION, NUMBER],
]);
const SNAPSHOT = encodeCommand(2, [
  [PATH, text('tree')],
  [UUID, uuid(SENDERS)],
  [GENERATION, NUMBER],
  [CLONE_UUID, uuid(SENDERS_BASE)],
]);
const FILE = encodeCommand(3, [[PATH, text('o257-1-0')]]);
const WRITE = encodeCommand(15, [
  [PATH, text('folder/a file')],
  [FILE_OFFSET, NUMBER],
  [DATA, text('../../x')],
]);
const TOP_MODE = encodeCommand(18, [
  [PATH, text('')],
  [MODE, NUMBER],
]);
const END = encodeCommand(21, []);
const clone = (from: string, path = 'a'): Buffer =>
  encodeCommand(16, [
    [PATH, text('b')],
    [CLONE_UUID, uuid(from)],
    [CLONE_PATH, text(path)],
  ]);

/** In pieces that end nowhere in particular, with their digest. */
function streamOf(...commands: readonly Buffer[]): Readable {
  const bytes = Buffer.concat(commands);
  const all = Buffer.concat([bytes, createHash('sha256').update(bytes).digest()]);
  const pieces = Array.from({ length: Math.ceil(all.length / 7) }, (_, index) =>
    all.subarray(index * 7, index * 7 + 7),
  );
  return Readable.from(pieces, { objectMode: false });
}

async function checked(expected: ExpectedStream, stream: Readable): Promise<Buffer> {
  const out: Buffer[] = [];
  for await (const bytes of checkedSendStream(new ByteReader(stream), expected)) out.push(bytes);
  return Buffer.concat(out);
}

describe('a stream for btrfs receive', () => {
  it('knows the checksum of Castagnoli, without the usual inversions', () => {
    expect(crc32c(Buffer.from('\x00'))).toBe(0);
    expect(crc32c(Buffer.from('123456789'))).toBe(0x58e3fa20);
  });

  it('passes with the UUIDs that are known here', async () => {
    const stream = streamOf(
      HEADER,
      SNAPSHOT,
      FILE,
      WRITE,
      TOP_MODE,
      clone(SENDERS),
      clone(SENDERS_BASE),
      END,
    );
    const here = encodeCommand(2, [
      [PATH, text('tree')],
      [UUID, uuid(OURS)],
      [GENERATION, NUMBER],
      [CLONE_UUID, uuid(OUR_BASE)],
    ]);
    expect(await checked(INCREMENT, stream)).toEqual(
      Buffer.concat([HEADER, here, FILE, WRITE, TOP_MODE, clone(OURS), clone(OUR_BASE), END]),
    );
  });

  it('makes a base that was never received findable first', async () => {
    const base = { receivedUuid: OUR_BASE, own: { uuid: OWN, name: 'base' } };
    const out = await checked({ ...INCREMENT, base }, streamOf(HEADER, SNAPSHOT, END));
    const made = encodeCommand(2, [
      [PATH, text('base')],
      [UUID, uuid(OUR_BASE)],
      [GENERATION, NUMBER],
      [CLONE_UUID, uuid(OWN)],
      [21, NUMBER],
    ]);
    expect(out.subarray(HEADER.length, HEADER.length + made.length)).toEqual(made);
  });

  it('gives times as btrfs has them, also before 1970', () => {
    const times = encodeTimes({ atimeNs: 1_500_000_001n, mtimeNs: -1n, ctimeNs: 0n });
    expect(times.toString('hex')).toContain('010000000000000001' + '65cd1d');
    expect(times.toString('hex')).toContain('ffffffffffffffff' + 'ffc99a3b');
  });

  it.each<[string, ExpectedStream, readonly Buffer[]]>([
    ['nothing', WHOLE, []],
    ['something else', WHOLE, [text('an archive of some kind')]],
    ['version 2', WHOLE, [text('btrfs-stream\0\x02\0\0\0'), SUBVOLUME, END]],
    ['no subvolume', WHOLE, [HEADER, FILE, END]],
    ['no subvolume, and no file', WHOLE, [HEADER, END]],
    ['a snapshot where a whole tree should come', WHOLE, [HEADER, SNAPSHOT, END]],
    ['a whole tree where a snapshot should come', INCREMENT, [HEADER, SUBVOLUME, END]],
    ['another name', { ...WHOLE, name: 'leaf' }, [HEADER, SUBVOLUME, END]],
    ['two subvolumes', WHOLE, [HEADER, SUBVOLUME, SUBVOLUME, END]],
    ['a second snapshot', INCREMENT, [HEADER, SNAPSHOT, SNAPSHOT, END]],
    ['no end', WHOLE, [HEADER, SUBVOLUME, FILE]],
    ['more behind its end', WHOLE, [HEADER, SUBVOLUME, END, FILE]],
    ['a second stream behind its end', WHOLE, [HEADER, SUBVOLUME, END, HEADER, SUBVOLUME, END]],
    ['data from elsewhere', INCREMENT, [HEADER, SNAPSHOT, clone(OWN), END]],
    ['data from above the base', INCREMENT, [HEADER, SNAPSHOT, clone(SENDERS_BASE, '../x'), END]],
    ['data that was left out', WHOLE, [HEADER, SUBVOLUME, encodeCommand(22, [[PATH, text('a')]]), END]],
    ['a command of version 2', WHOLE, [HEADER, SUBVOLUME, encodeCommand(25, [[PATH, text('a')]]), END]],
    ['an attribute nobody knows', WHOLE, [HEADER, SUBVOLUME, encodeCommand(3, [[25, text('a')]]), END]],
    [
      'two paths for one',
      WHOLE,
      [
        HEADER,
        SUBVOLUME,
        encodeCommand(3, [
          [PATH, text('a')],
          [PATH, text('b')],
        ]),
        END,
      ],
    ],
    ['a command that is too large', WHOLE, [HEADER, SUBVOLUME, Buffer.alloc(70_000, 1), END]],
    ['an attribute larger than its command', WHOLE, [HEADER, SUBVOLUME, cut(FILE), END]],
  ])('is refused with %s', async (_, expected, commands) => {
    await expect(checked(expected, streamOf(...commands))).rejects.toMatchObject({ code: 'BAD_STREAM' });
  });

  it.each(['', '/etc/passwd', '..', '../x', 'a/../../x', 'a/..', './a', 'a//b', 'a/', 'a\0b'])(
    'is refused with the path %j, wherever it is',
    async (path) => {
      const commands = [
        encodeCommand(3, [[PATH, text(path)]]),
        encodeCommand(15, [
          [PATH, text(path)],
          [FILE_OFFSET, NUMBER],
          [DATA, text('x')],
        ]),
        encodeCommand(9, [
          [PATH, text('a')],
          [PATH_TO, text(path)],
        ]),
        encodeCommand(10, [
          [PATH, text('a')],
          [PATH_LINK, text(path)],
        ]),
        clone(SENDERS, path),
      ];
      for (const command of commands) {
        await expect(checked(WHOLE, streamOf(HEADER, SUBVOLUME, command, END))).rejects.toMatchObject({
          code: 'BAD_STREAM',
        });
      }
    },
  );

  it('may have a symbolic link to anywhere', async () => {
    const link = encodeCommand(8, [
      [PATH, text('a')],
      [PATH_LINK, text('/etc/../etc')],
    ]);
    const stream = streamOf(HEADER, SUBVOLUME, link, END);
    expect((await checked(WHOLE, stream)).includes(link)).toBe(true);
  });

  it('is refused when its digest is another, and has no end then', async () => {
    const bytes = Buffer.concat([HEADER, SUBVOLUME, FILE, END, Buffer.alloc(32)]);
    const out: Buffer[] = [];
    const receiving = async (): Promise<void> => {
      const stream = Readable.from([bytes], { objectMode: false });
      for await (const each of checkedSendStream(new ByteReader(stream), WHOLE)) out.push(each);
    };
    await expect(receiving()).rejects.toMatchObject({ code: 'BAD_STREAM' });
    expect(Buffer.concat(out).includes(END)).toBe(false);
  });

  it('leaves damage as it is where it changes a command', async () => {
    const bent = Buffer.from(SUBVOLUME);
    bent[bent.length - 1] = 1;
    await expect(checked(WHOLE, streamOf(HEADER, bent, END))).rejects.toMatchObject({ code: 'BAD_STREAM' });
  });
});

/** With the same attribute, of which the end is missing. */
function cut(command: Buffer): Buffer {
  const shorter = Buffer.from(command.subarray(0, -3));
  shorter.writeUInt32LE(shorter.length - 10, 0);
  return shorter;
}
