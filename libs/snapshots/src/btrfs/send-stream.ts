import { badStream } from '../store-errors.js';
import type { ByteReader } from './byte-reader.js';
import { crc32c } from './crc32c.js';

/** What a stream should be of, and by which UUIDs `btrfs receive` is to know that here. */
export interface ExpectedStream {
  /** The name of the subvolume in the stream. */
  readonly name: string;
  /** What it is received as. The sender's own one would say who knows it to whoever can read it, and could be anybody's. */
  readonly receivedUuid: string;
  /** Where it goes on from; `null`: from nothing. */
  readonly base: ReceivedBase | null;
}

export interface ReceivedBase {
  readonly receivedUuid: string;
  /**
   * The base was never received, and is only found by this UUID, its own. It is then received as well, by this name: what a stream clones from is
   * looked for among received subvolumes only (before btrfs-progs 6.10; their issue 606).
   */
  readonly own: { readonly uuid: string; readonly name: string } | null;
}

/**
 * The stream of one subvolume, from its header to its end, for `btrfs receive`: checked and told what it goes on from. Each command is whole, is one that makes
 * files, names nothing outside of the subvolume, and takes data from nowhere else but the base. Throws BAD_STREAM. The last command is given out only when the
 * digest that follows it is right; without it, `btrfs receive` does not finish the subvolume.
 *
 * The format is kernel-shared/send.h and common/send-stream.c of btrfs-progs; version 1, the one that is sent unless another is asked for.
 */
export async function* checkedSendStream(
  reader: ByteReader,
  expected: ExpectedStream,
): AsyncGenerator<Buffer> {
  if (!(await reader.take(HEADER.length)).equals(HEADER)) throw badStream('this is no btrfs stream');
  yield HEADER;
  if (expected.base?.own != null) yield receiveOwn(expected.base.own, expected.base.receivedUuid);
  const begun = beginning(
    await reader.take(commandLength(await reader.peek(COMMAND_HEADER_BYTES))),
    expected,
  );
  yield begun.command;
  for (let missing = 0; ;) {
    const bytes = await reader.peek(missing);
    const { checked, length, hasEnd } = checkedCommands(bytes, begun.uuids);
    yield* checked;
    reader.skip(length);
    if (hasEnd) break;
    missing = bytes.length - length + 1;
  }
  if (!(await reader.endsWithDigest())) throw badStream('the stream is damaged, or goes on behind its end');
  yield END_COMMAND;
}

/** Uuids in the stream, as hex, and what they are here. */
type Uuids = ReadonlyMap<string, Buffer>;

const HEADER = Buffer.from('btrfs-stream\0\x01\0\0\0');
const COMMAND_HEADER_BYTES = 10;
const TYPE_AT = 4;
const CRC_AT = 6;
/** BTRFS_SEND_BUF_SIZE_V1: no command of version 1 is larger. */
const LARGEST_COMMAND = 64 * 1024;

const SUBVOLUME = 1;
const SNAPSHOT = 2;
const LINK = 10;
const CLONE = 16;
const UTIMES = 20;
const END = 21;
/** From MKFILE to UTIMES. UPDATE_EXTENT, which is left out, stands for data that was not sent. */
const FIRST_OF_FILES = 3;
const LAST_OF_FILES = UTIMES;
/** What the top of the tree may be the subject of: xattrs, mode, owner, times. */
const OF_ATTRIBUTES = [13, 14, 18, 19, UTIMES];

const UUID = 1;
const GENERATION = 2;
const CTIME = 9;
const MTIME = 10;
const ATIME = 11;
const PATH = 15;
const PATH_TO = 16;
/** Text of a symbolic link; of a hard link a path. */
const PATH_LINK = 17;
const CLONE_UUID = 20;
const CLONE_GENERATION = 21;
const CLONE_PATH = 22;
const LAST_ATTRIBUTE = 24;
const PATHS = [PATH, PATH_TO, CLONE_PATH];
const PATHS_OF_LINK = [...PATHS, PATH_LINK];

/** Of the command at the start of these bytes, with its header. */
function commandLength(bytes: Buffer): number {
  const length = bytes.readUInt32LE(0);
  if (length > LARGEST_COMMAND) throw badStream(`the stream has a command of ${length} bytes`);
  return COMMAND_HEADER_BYTES + length;
}

/** Checks the whole commands among these bytes, up to the end of the stream: most of them as they lie, one by one is much slower. */
function checkedCommands(
  bytes: Buffer,
  uuids: Uuids,
): { readonly checked: readonly Buffer[]; readonly length: number; readonly hasEnd: boolean } {
  const checked: Buffer[] = [];
  let from = 0;
  let at = 0;
  let hasEnd = false;
  while (!hasEnd && at + COMMAND_HEADER_BYTES <= bytes.length) {
    const next = at + commandLength(bytes.subarray(at));
    if (next > bytes.length) break;
    const command = bytes.subarray(at, next);
    hasEnd = command.readUInt16LE(TYPE_AT) === END;
    const replaced = hasEnd ? null : checkedCommand(command, uuids);
    if (hasEnd || replaced !== null) {
      checked.push(bytes.subarray(from, at), ...(replaced === null ? [] : [replaced]));
      from = next;
    }
    at = next;
  }
  checked.push(bytes.subarray(from, at));
  return { checked: checked.filter(({ length }) => length > 0), length: at, hasEnd };
}

/** The first command: it makes the subvolume. */
function beginning(
  bytes: Buffer,
  { name, receivedUuid, base }: ExpectedStream,
): { readonly command: Buffer; readonly uuids: Uuids } {
  const attributes = readAttributes(bytes);
  const [path, uuid, from] = [PATH, UUID, CLONE_UUID].map((each) => attributes.get(each));
  const isExpected =
    bytes.readUInt16LE(TYPE_AT) === (base === null ? SUBVOLUME : SNAPSHOT) &&
    path?.toString() === name &&
    from?.length === (base === null ? undefined : UUID_BYTES);
  if (!isExpected || uuid?.length !== UUID_BYTES)
    throw badStream('the stream does not begin with what was announced');
  const uuids = new Map([[uuid.toString('hex'), uuidBytes(receivedUuid)]]);
  if (from !== undefined && base !== null) uuids.set(from.toString('hex'), uuidBytes(base.receivedUuid));
  return { command: withUuids(bytes, uuids), uuids };
}

/** What it has to be instead, if that is something else. */
function checkedCommand(bytes: Buffer, uuids: Uuids): Buffer | null {
  const type = bytes.readUInt16LE(TYPE_AT);
  if (type < FIRST_OF_FILES || type > LAST_OF_FILES) throw badStream(`the stream has a command ${type}`);
  const attributes = readAttributes(bytes);
  for (const each of type === LINK ? PATHS_OF_LINK : PATHS) {
    const path = attributes.get(each);
    if (path !== undefined && !isInside(path, OF_ATTRIBUTES.includes(type)))
      throw badStream(`the stream names the path ${JSON.stringify(path.toString())}`);
  }
  if (type !== CLONE) return null;
  const source = attributes.get(CLONE_UUID)?.toString('hex') ?? '';
  if (!uuids.has(source)) throw badStream(`the stream takes data from subvolume "${source}"`);
  return withUuids(bytes, uuids);
}

function readAttributes(command: Buffer): ReadonlyMap<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  for (let at = COMMAND_HEADER_BYTES; at < command.length;) {
    const isWhole = at + 4 <= command.length && at + 4 + command.readUInt16LE(at + 2) <= command.length;
    const type = isWhole ? command.readUInt16LE(at) : 0;
    // Of two, btrfs would take the one, and we perhaps the other.
    if (type === 0 || type > LAST_ATTRIBUTE || attributes.has(type))
      throw badStream('the stream has a malformed command');
    const end = at + 4 + command.readUInt16LE(at + 2);
    attributes.set(type, command.subarray(at + 4, end));
    at = end;
  }
  return attributes;
}

/** Empty is the top itself. A part that is a link is not for here to know: where the stream is received, none is followed. */
function isInside(path: Buffer, mayBeTop: boolean): boolean {
  const text = path.toString('latin1');
  if (text === '') return mayBeTop;
  return (
    !text.includes('\0') && text.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

/** The command with other UUIDs in it. */
function withUuids(command: Buffer, uuids: Uuids): Buffer {
  // Or damage would get a good checksum.
  if (checksum(command) !== command.readUInt32LE(CRC_AT)) throw badStream('the stream is damaged');
  // What was sent is not ours to write in.
  const changed = Buffer.from(command);
  const attributes = readAttributes(changed);
  for (const each of [UUID, CLONE_UUID]) {
    const uuid = attributes.get(each);
    if (uuid !== undefined) uuids.get(uuid.toString('hex'))?.copy(uuid);
  }
  changed.writeUInt32LE(checksum(changed), CRC_AT);
  return changed;
}

function receiveOwn(own: { readonly uuid: string; readonly name: string }, receivedUuid: string): Buffer {
  const generation = Buffer.alloc(8);
  return encodeCommand(SNAPSHOT, [
    [PATH, Buffer.from(own.name)],
    [UUID, uuidBytes(receivedUuid)],
    [GENERATION, generation],
    [CLONE_UUID, uuidBytes(own.uuid)],
    [CLONE_GENERATION, generation],
  ]);
}

/** Bytes of the last command. */
export const END_BYTES = COMMAND_HEADER_BYTES;

/** A command that gives the top of the tree these times. */
export function encodeTimes({ atimeNs, mtimeNs, ctimeNs }: Times): Buffer {
  return encodeCommand(UTIMES, [
    [PATH, Buffer.alloc(0)],
    [ATIME, timeBytes(atimeNs)],
    [MTIME, timeBytes(mtimeNs)],
    [CTIME, timeBytes(ctimeNs)],
  ]);
}

/** Nanoseconds since 1970. */
export interface Times {
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** `btrfs_timespec`: seconds, and the nanoseconds behind them. */
function timeBytes(sinceEpochNs: bigint): Buffer {
  const bytes = Buffer.alloc(12);
  // Never negative, also before 1970.
  const nanoseconds = ((sinceEpochNs % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
  bytes.writeBigInt64LE((sinceEpochNs - nanoseconds) / NANOSECONDS, 0);
  bytes.writeUInt32LE(Number(nanoseconds), 8);
  return bytes;
}

const NANOSECONDS = 1_000_000_000n;

/** One command of a stream, with its checksum. */
export function encodeCommand(type: number, attributes: readonly (readonly [number, Buffer])[]): Buffer {
  const body = attributes.flatMap(([attribute, value]) => {
    const header = Buffer.alloc(4);
    header.writeUInt16LE(attribute, 0);
    header.writeUInt16LE(value.length, 2);
    return [header, value];
  });
  const command = Buffer.concat([Buffer.alloc(COMMAND_HEADER_BYTES), ...body]);
  command.writeUInt32LE(command.length - COMMAND_HEADER_BYTES, 0);
  command.writeUInt16LE(type, TYPE_AT);
  command.writeUInt32LE(checksum(command), CRC_AT);
  return command;
}

/** Over the command as it is with a checksum of zero. */
function checksum(command: Buffer): number {
  const bare = Buffer.from(command);
  bare.writeUInt32LE(0, CRC_AT);
  return crc32c(bare);
}

const UUID_BYTES = 16;
const END_COMMAND = encodeCommand(END, []);

function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}
