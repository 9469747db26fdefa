import { badStream } from '../store-errors.js';

/** What a tar says of one entry. Names are bytes, kept as latin1 text: one character each. */
export interface Member {
  readonly kind: 'file' | 'hard-link' | 'folder' | 'other';
  /** Relative, without `.` and `..`; that of the top is `.`. */
  readonly name: string;
  /** What a hard link is another name of; otherwise empty. */
  readonly link: string;
}

/** What is read next: so many bytes, at least one, which are looked at or not. */
export interface Reading {
  readonly bytes: number;
  readonly isLookedAt: boolean;
}

const BLOCK_BYTES = 512;
/** A file with a million holes has a header of 60 MB. */
const LONGEST_EXTENDED_HEADER = 128 * 1024 * 1024;

/**
 * Reads the headers of a tar, of the one format that `packEntries` writes. All others are refused, so that tar cannot take for something else what was
 * found good here. See pax(1), "ustar Interchange Format". It says what it wants to read, is given that, and so on until the archive is at its end.
 * Throws BAD_STREAM.
 */
export function* readHeaders(found: (member: Member) => void): Generator<Reading, void, Buffer> {
  for (;;) {
    let block = yield look(BLOCK_BYTES);
    if (isBlank(block)) break;
    let attributes: Attributes = new Map();
    if (typeOf(block) === 'x') {
      const { name, size } = parseHeader(block);
      if (size === 0 || size > LONGEST_EXTENDED_HEADER) refuse(name, 'its extended header is malformed');
      attributes = parseAttributes(name, yield look(padded(size)), size);
      block = yield look(BLOCK_BYTES);
    }
    const { member, contentBytes } = parseMember(parseHeader(block), attributes);
    found(member);
    if (contentBytes > 0) yield { bytes: padded(contentBytes), isLookedAt: false };
  }
  // One block of zeros may be chance; two are the end. Without them the archive was cut between two members.
  if (!isBlank(yield look(BLOCK_BYTES))) damaged('its end is missing');
}

function look(bytes: number): Reading {
  return { bytes, isLookedAt: true };
}

export function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}

const KINDS: Readonly<Record<string, Member['kind']>> = {
  '0': 'file',
  '1': 'hard-link',
  '2': 'other',
  '3': 'other',
  '4': 'other',
  '5': 'folder',
  '6': 'other',
};

function parseMember(
  header: Header,
  attributes: Attributes,
): { readonly member: Member; readonly contentBytes: number } {
  const { type, name } = header;
  const kind = KINDS[type] ?? refuse(name, `it is of type "${printable(type)}"`);
  const contentBytes = Number(attributes.get('size') ?? header.size);
  if (kind !== 'file' && contentBytes !== 0) refuse(name, 'it has content and is no file');
  const member = {
    kind,
    name: parseName(attributes.get('path') ?? name, kind),
    link: kind === 'hard-link' ? parseName(attributes.get('linkpath') ?? header.link, kind) : '',
  };
  return { member, contentBytes };
}

interface Header {
  readonly type: string;
  readonly size: number;
  readonly name: string;
  readonly link: string;
}

function parseHeader(block: Buffer): Header {
  const name = text(block, 0, 100);
  if (text(block, 257, 8) !== 'ustar' || block.toString('latin1', 263, 265) !== '00')
    damaged(`there is no header where "${printable(name)}" should begin`);
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK_BYTES; at++) sum += at >= 148 && at < 156 ? 0 : (block[at] ?? 0);
  if (octal(block, 148, 8) !== sum) damaged(`the header of "${printable(name)}" is not what its sum says`);
  if (block[345] !== 0) refuse(name, 'its name is in two parts');
  return { type: typeOf(block), size: octal(block, 124, 12), name, link: text(block, 157, 100) };
}

function typeOf(block: Buffer): string {
  return block.toString('latin1', 156, 157);
}

function text(block: Buffer, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString('latin1', 0, end === -1 ? length : end);
}

function octal(block: Buffer, at: number, length: number): number {
  const digits = /^ *([0-7]+) *$/.exec(text(block, at, length))?.[1];
  return digits === undefined ? damaged('a number in a header is malformed') : Number.parseInt(digits, 8);
}

type Attributes = ReadonlyMap<string, string>;

/** What packEntries lets tar say in an extended header. Other sparse formats hide the name of a member in one, or in its content. */
const KNOWN_ATTRIBUTE =
  /^(path|linkpath|size|uid|gid|mtime|GNU\.sparse\.(size|numblocks|offset|numbytes)|SCHILY\.xattr\..+)$/s;
const REPEATED_ATTRIBUTE = /^GNU\.sparse\.(offset|numbytes)$/;

/** Records of an extended header: `<length> <key>=<value>\n`, where length is of all of it. Attributes of files are left out. */
function parseAttributes(member: string, bytes: Buffer, size: number): Attributes {
  const attributes = new Map<string, string>();
  for (let at = 0; at < size;) {
    const space = bytes.indexOf(' ', at);
    const equals = bytes.indexOf('=', space);
    const digits = /^[0-9]{1,10}$/.exec(bytes.toString('latin1', at, Math.min(space, at + 12)))?.[0];
    const end = at + Number(digits);
    if (!(end <= size && equals > space && equals < end) || bytes[end - 1] !== 0x0a)
      damaged(`the extended header of "${printable(member)}" is malformed`);
    const key = bytes.toString('latin1', space + 1, equals);
    if (!KNOWN_ATTRIBUTE.test(key)) refuse(member, `its extended header has "${printable(key)}"`);
    if (attributes.has(key) && !REPEATED_ATTRIBUTE.test(key))
      refuse(member, `its extended header has "${printable(key)}" twice`);
    attributes.set(key, key.startsWith('SCHILY.') ? '' : bytes.toString('latin1', equals + 1, end - 1));
    at = end;
  }
  if (!/^[0-9]{1,15}$/.test(attributes.get('size') ?? '0')) refuse(member, 'its size is malformed');
  return attributes;
}

/** `a/b/` of a folder to `a/b`, and `./` to `.`. */
function parseName(name: string, kind: Member['kind']): string {
  if (name === './' && kind === 'folder') return '.';
  const path = kind === 'folder' && name.endsWith('/') ? name.slice(0, -1) : name;
  const isPlain = path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (!isPlain || name.includes('\0')) refuse(name, 'it leads out of the tree');
  return path;
}

/** Throws BAD_STREAM. */
export function refuse(member: string, reason: string): never {
  throw badStream(`the tree is refused at "${printable(member)}": ${reason}`);
}

function damaged(reason: string): never {
  throw badStream(`the tree is damaged: ${reason}`);
}

export function printable(name: string): string {
  return name.slice(0, 200).replace(/[^\x20-\x7e]/g, '?');
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
}
