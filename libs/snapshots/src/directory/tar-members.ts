import { isBlank, printable, readHeaders, refuse, type Member, type Reading } from './tar-headers.js';
import { badStream } from '../store-errors.js';

/**
 * Hands on a tar that came from elsewhere, and stops with BAD_STREAM in front of the first member that `packEntries` would not have written: one with a
 * name that is absolute or has `..`, one that is not in a folder that is itself a member (so nothing is written through a link, whatever its
 * target), one with a name that came already, and a hard link to what is not a member. Devices and links to anywhere are what an image has.
 */
export async function* checkMembers(tar: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const check = new MemberCheck();
  for await (const chunk of tar) {
    check.push(chunk);
    yield chunk;
  }
  check.end();
}

class MemberCheck {
  readonly #headers = readHeaders((member) => this.#add(member));
  /** The members so far. tar writes a folder before what is in it, and a file before its other names. */
  readonly #seen = new Map<string, 'folder' | 'other'>();
  /** `null`: the archive is at its end, and nothing but zeros may come. */
  #reading: Reading | null;
  #missingBytes = 0;
  #pieces: Buffer[] = [];

  constructor() {
    this.#reading = this.#begin(this.#headers.next());
  }

  push(chunk: Buffer): void {
    for (let rest = chunk; rest.length > 0;) {
      if (this.#reading === null) {
        if (!isBlank(rest)) throw badStream('the tree is damaged: it goes on behind its end');
        return;
      }
      const piece = rest.subarray(0, this.#missingBytes);
      rest = rest.subarray(piece.length);
      this.#missingBytes -= piece.length;
      if (this.#reading.isLookedAt) this.#pieces.push(piece);
      if (this.#missingBytes === 0) this.#reading = this.#begin(this.#headers.next(this.#read()));
    }
  }

  end(): void {
    if (this.#reading !== null) throw badStream('the tree is damaged: it ends in the middle');
    if (this.#seen.size === 0) throw badStream('the tree is empty');
  }

  #begin({ done, value }: IteratorResult<Reading, void>): Reading | null {
    if (done === true) return null;
    this.#missingBytes = value.bytes;
    return value;
  }

  #read(): Buffer {
    const [only = Buffer.alloc(0), ...more] = this.#pieces;
    const all = more.length === 0 ? only : Buffer.concat(this.#pieces);
    this.#pieces = [];
    return all;
  }

  #add({ kind, name, link }: Member): void {
    if (this.#seen.has(name)) refuse(name, 'it comes twice');
    if (kind === 'hard-link' && this.#seen.get(link) !== 'other')
      refuse(name, `it is a hard link to "${printable(link)}", which is not a file in front of it`);
    if (name === '.' && this.#seen.size > 0) refuse(name, 'the top comes first');
    if (name !== '.' && this.#seen.get(parentOf(name)) !== 'folder')
      refuse(name, 'it is in no folder of the tree');
    this.#seen.set(name, kind === 'folder' ? 'folder' : 'other');
  }
}

function parentOf(name: string): string {
  const slash = name.lastIndexOf('/');
  return slash === -1 ? '.' : name.slice(0, slash);
}
