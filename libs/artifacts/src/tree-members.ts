import type { PieceReader } from './piece-reader.js';
import { TreeError } from './tree-error.js';

export const BLOCK = 512;
const WINDOW_BYTES = 256 * 1024;
/** A file with a million holes has a header of 60 MB. */
const LONGEST_PAX_HEADER = 128 * 1024 * 1024;

/** What is at the top of a packed tree: a folder, or one thing that is none. */
export type TreeTop = 'folder' | 'single';

/**
 * Reads the headers of a tar that came from elsewhere, before tar itself sees it, and refuses all that `packTree` does not write: other formats and
 * kinds, names that are absolute or have `..`, members that are not in a folder that is itself a member (so nothing is written through a link, whatever
 * its target), names that come twice, and hard links to what is not a member. Throws TreeError TREE_REFUSED or, where the archive ends early, TREE_BROKEN.
 */
export async function checkMembers(tar: PieceReader, signal?: AbortSignal): Promise<TreeTop> {
  const members = new Members();
  for await (const member of readMembers(new BlockReader(tar))) {
    signal?.throwIfAborted();
    members.add(member);
  }
  return members.top();
}

/** Names are bytes, kept as latin1 text: one character each. */
interface Member {
  readonly kind: 'file' | 'hard-link' | 'folder' | 'other';
  readonly name: string;
  readonly link: string;
}

/** The members so far. GNU tar writes a folder before what is in it, and a file before its other names. */
class Members {
  private readonly seen = new Map<string, 'folder' | 'other'>();

  add({ kind, name, link }: Member): void {
    if (this.seen.has(name)) refuse(name, 'it comes twice');
    if (kind === 'hard-link' && this.seen.get(link) !== 'other')
      refuse(name, `it is a hard link to "${printable(link)}", which is not a file in front of it`);
    if (name === '.') {
      if (kind !== 'folder' || this.seen.size > 0) refuse(name, 'the top is a folder, and comes first');
    } else if (this.seen.size > 0 && this.seen.get(parentOf(name)) !== 'folder') {
      refuse(name, 'it is in no folder of the archive');
    } else if (this.seen.size === 0 && (kind === 'folder' || parentOf(name) !== '.')) {
      refuse(name, 'a tree begins with its top');
    }
    this.seen.set(name, kind === 'folder' ? 'folder' : 'other');
  }

  top(): TreeTop {
    if (this.seen.size === 0) throw new TreeError('TREE_BROKEN', 'the packed tree is empty');
    return this.seen.has('.') ? 'folder' : 'single';
  }
}

function parentOf(name: string): string {
  const slash = name.lastIndexOf('/');
  return slash === -1 ? '.' : name.slice(0, slash);
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

async function* readMembers(blocks: BlockReader): AsyncGenerator<Member> {
  let attributes: ReadonlyMap<string, string> | null = null;
  for (;;) {
    const header = await blocks.next(BLOCK);
    if (header.every((byte) => byte === 0)) break;
    const { type, size, name, link } = parseHeader(header);
    if (type === 'x') {
      if (attributes !== null || size > LONGEST_PAX_HEADER) refuse(name, 'its extended header is malformed');
      attributes = parseAttributes(name, await blocks.next(padded(size)), size);
      continue;
    }
    const kind = KINDS[type];
    if (kind === undefined) refuse(name, `it is of type "${printable(type)}"`);
    const length = Number(attributes?.get('size') ?? size);
    if (kind !== 'file' && length !== 0) refuse(name, 'it has content and is no file');
    blocks.skip(padded(length));
    yield {
      kind,
      name: parseName(attributes?.get('path') ?? name, kind),
      link: kind === 'hard-link' ? parseName(attributes?.get('linkpath') ?? link, kind) : '',
    };
    attributes = null;
  }
  // One block of zeros may be chance; two are the end. Without them the archive was cut between two members.
  const end = await blocks.next(BLOCK);
  if (attributes !== null || end.some((byte) => byte !== 0)) broken('its end is missing');
}

export interface Header {
  readonly type: string;
  readonly size: number;
  readonly name: string;
  readonly link: string;
}

/** See pax(1), "ustar Interchange Format". */
export function parseHeader(block: Buffer): Header {
  const name = text(block, 0, 100);
  if (text(block, 257, 8) !== 'ustar' || block.toString('latin1', 263, 265) !== '00')
    broken(`there is no header where "${printable(name)}" should begin`);
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK; at++) sum += at >= 148 && at < 156 ? 0 : (block[at] ?? 0);
  if (octal(block, 148, 8) !== sum) broken(`the header of "${printable(name)}" is damaged`);
  if (block[345] !== 0) refuse(name, 'its name is in two parts');
  return {
    type: block.toString('latin1', 156, 157),
    size: octal(block, 124, 12),
    name,
    link: text(block, 157, 100),
  };
}

function text(block: Buffer, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString('latin1', 0, end === -1 ? length : end);
}

function octal(block: Buffer, at: number, length: number): number {
  const digits = /^ *([0-7]+) *$/.exec(text(block, at, length))?.[1];
  return digits === undefined ? broken('a number in a header is malformed') : Number.parseInt(digits, 8);
}

/** What packTree lets tar say in an extended header. Other sparse formats hide the name of a member in one, or in its content. */
const KNOWN_ATTRIBUTE =
  /^(path|linkpath|size|uid|gid|mtime|uname|gname|GNU\.sparse\.(size|numblocks|offset|numbytes)|SCHILY\.xattr\..+)$/s;
const REPEATED_ATTRIBUTE = /^GNU\.sparse\.(offset|numbytes)$/;

/** Records of an extended header: `<length> <key>=<value>\n`, where length is of all of it. */
export function parseAttributes(member: string, bytes: Buffer, size: number): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  for (let at = 0; at < size;) {
    const space = bytes.indexOf(' ', at);
    const length = Number(/^[0-9]{1,10}$/.exec(bytes.toString('latin1', at, Math.min(space, at + 12)))?.[0]);
    const end = at + length;
    const equals = bytes.indexOf('=', space);
    if (!(end <= size && equals > space && equals < end) || bytes[end - 1] !== 0x0a)
      broken(`the extended header of "${printable(member)}" is malformed`);
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

/** `./a/b` to `a/b`, and `./` to `.`. */
function parseName(name: string, kind: Member['kind']): string {
  if (name === './' && kind === 'folder') return '.';
  const path = kind === 'folder' && name.endsWith('/') ? name.slice(0, -1) : name;
  const [first, ...parts] = path.split('/');
  const isPlain = parts.length > 0 && parts.every((part) => part !== '' && part !== '.' && part !== '..');
  if (first !== '.' || !isPlain || name.includes('\0')) refuse(name, 'it leads out of the tree');
  return parts.join('/');
}

export function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function refuse(member: string, reason: string): never {
  throw new TreeError(
    'TREE_REFUSED',
    `the packed tree is refused at "${printable(member)}": ${reason}`,
    'it was not packed by an agent of this version; nothing of it was unpacked',
  );
}

function broken(reason: string): never {
  throw new TreeError('TREE_BROKEN', `the packed tree is damaged: ${reason}`, 'fetch it again');
}

function printable(name: string): string {
  return name.slice(0, 200).replace(/[^\x20-\x7e]/g, '?');
}

/** Reads forward, a window at a time. */
class BlockReader {
  private window = Buffer.alloc(0);
  private windowAt = 0;
  private at = 0;

  constructor(private readonly tar: PieceReader) {}

  async next(length: number): Promise<Buffer> {
    if (this.at + length > this.windowAt + this.window.length) await this.fill(length);
    const from = this.at - this.windowAt;
    this.at += length;
    return this.window.subarray(from, from + length);
  }

  skip(length: number): void {
    this.at += length;
  }

  private async fill(length: number): Promise<void> {
    const window = Buffer.allocUnsafe(Math.max(length, WINDOW_BYTES));
    let filled = 0;
    while (filled < length) {
      const bytesRead = await this.tar.read(window.subarray(filled), this.at + filled);
      if (bytesRead === 0) broken('it ends in the middle');
      filled += bytesRead;
    }
    this.window = window.subarray(0, filled);
    this.windowAt = this.at;
  }
}
