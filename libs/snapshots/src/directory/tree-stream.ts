import { SnapshotStoreError } from '#libs/engine';
import { createHash } from 'node:crypto';
import { badStream } from '../store-errors.js';
import { nullTerminated } from './null-terminated.js';

/**
 * A checkpoint's tree on its way from one directory store to another:
 *
 *     distrofarm-tree, and a byte with the version
 *     length of the next part, 4 bytes, big-endian
 *     {"id", "base", "removedBytes"} as JSON
 *     paths of files that went since the base, each ended by NUL
 *     a tar of what is new or changed, and of all folders
 *     SHA-256 of all that, 32 bytes
 */
export interface TreeStreamHead {
  /** The checkpoint's. */
  readonly id: string;
  /** Id of the checkpoint that has everything else; `null`: there is nothing else. */
  readonly base: string | null;
  /** Relative to the tree, as bytes. Folders are not among them: one that does not come again is gone, with all that was in it. */
  readonly removed: readonly Buffer[];
}

const MAGIC = Buffer.from('distrofarm-tree');
const VERSION = 1;
const DIGEST_BYTES = 32;
/** Two ids. */
const LONGEST_JSON = 4096;
/** Three million paths. It is held in memory. */
const MOST_REMOVED_BYTES = 256 * 1024 * 1024;

/** Throws FAILED when more has been removed than may be said. */
export async function* encodeTree(head: TreeStreamHead, tar: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  const beginning = encodeHead(head);
  hash.update(beginning);
  yield beginning;
  for await (const chunk of tar) {
    hash.update(chunk);
    yield chunk;
  }
  yield hash.digest();
}

function encodeHead({ id, base, removed }: TreeStreamHead): Buffer {
  const paths = nullTerminated(removed);
  if (paths.length > MOST_REMOVED_BYTES)
    throw new SnapshotStoreError(
      'FAILED',
      `${removed.length} files are gone since the base, too many to name`,
      'Send it whole.',
    );
  const json = Buffer.from(JSON.stringify({ id, base, removedBytes: paths.length }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([MAGIC, Buffer.from([VERSION]), length, json, paths]);
}

export interface DecodedTree {
  readonly head: TreeStreamHead;
  /** To be read once. Throws BAD_STREAM at its end when anything that came was not what was sent: until then none of it counts. */
  readonly tar: AsyncGenerator<Buffer>;
}

/** Throws BAD_STREAM, also for what the stream itself fails with. */
export async function decodeTree(stream: AsyncIterable<Buffer>): Promise<DecodedTree> {
  const bytes = new HashedBytes(stream);
  const magic = await bytes.take(MAGIC.length + 1);
  if (!magic.subarray(0, -1).equals(MAGIC)) throw badStream('this is no tree from a directory store');
  if (magic.at(-1) !== VERSION)
    throw badStream(`the tree comes in version ${magic.at(-1) ?? 0}, and ${VERSION} is understood here`);
  const { id, base, removedBytes } = parseJson(await bytes.take(await readLength(bytes)));
  return {
    head: { id, base, removed: splitPaths(await bytes.take(removedBytes)) },
    tar: bytes.untilDigest(),
  };
}

async function readLength(bytes: HashedBytes): Promise<number> {
  const length = (await bytes.take(4)).readUInt32BE();
  return length <= LONGEST_JSON ? length : malformed();
}

interface HeadJson {
  readonly id: string;
  readonly base: string | null;
  readonly removedBytes: number;
}

function parseJson(json: Buffer): HeadJson {
  const { id, base, removedBytes } = parseObject(json);
  const isGood =
    typeof id === 'string' &&
    (base === null || typeof base === 'string') &&
    typeof removedBytes === 'number' &&
    Number.isInteger(removedBytes) &&
    removedBytes >= 0 &&
    removedBytes <= MOST_REMOVED_BYTES;
  return isGood ? { id, base, removedBytes } : malformed();
}

function parseObject(json: Buffer): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(json.toString());
  } catch {
    return malformed();
  }
  return typeof value === 'object' && value !== null ? { ...value } : malformed();
}

function splitPaths(bytes: Buffer): readonly Buffer[] {
  const paths: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0, at);
    if (end === -1) malformed();
    paths.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return paths;
}

/** Reads forward through a stream, and adds up what it has given. */
class HashedBytes {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #hash = createHash('sha256');
  /** Read, and not given yet. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async take(count: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let missing = count; missing > 0;) {
      if (this.#rest.length === 0) this.#rest = (await this.#next()) ?? cut();
      const piece = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(piece.length);
      missing -= piece.length;
      pieces.push(piece);
    }
    const taken = Buffer.concat(pieces);
    this.#hash.update(taken);
    return taken;
  }

  /** All but the digest, which is held against what has been given. */
  async *untilDigest(): AsyncGenerator<Buffer> {
    for (let chunk = await this.#next(); chunk !== null; chunk = await this.#next()) {
      // Where the digest cannot begin in front of the chunk, that takes the place of what was held, and nothing is copied.
      if (chunk.length >= DIGEST_BYTES) {
        yield this.#give(this.#rest.length);
        this.#rest = chunk;
      } else {
        this.#rest = Buffer.concat([this.#rest, chunk]);
        yield this.#give(this.#rest.length - DIGEST_BYTES);
      }
    }
    yield this.#give(this.#rest.length - DIGEST_BYTES);
    if (!this.#hash.digest().equals(this.#rest))
      throw badStream('the tree is damaged, or its end is missing');
  }

  #give(count: number): Buffer {
    const given = this.#rest.subarray(0, Math.max(0, count));
    this.#rest = this.#rest.subarray(given.length);
    this.#hash.update(given);
    return given;
  }

  async #next(): Promise<Buffer | null> {
    try {
      const next = await this.#chunks.next();
      return next.done === true ? null : next.value;
    } catch (error) {
      throw badStream('the stream broke off', error);
    }
  }
}

function malformed(): never {
  throw badStream('the beginning of the tree is malformed');
}

function cut(): never {
  throw badStream('the stream ends before the tree begins');
}
