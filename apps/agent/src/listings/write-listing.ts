import {
  DPKG_STATUS,
  entryLine,
  listingEnd,
  listingHead,
  listTree,
  MOST_STATUS_BYTES,
  parseDpkgStatus,
  type ListedPackage,
} from '#libs/listing';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

export interface WrittenListing {
  /** Of the file. */
  readonly sha256: string;
  readonly bytes: number;
}

/** Of the image in a workspace. */
const STATUS = `pkg_image/${DPKG_STATUS}`;
/** A line is a hundred bytes, and each piece that is passed on costs more than that. */
const PIECE_BYTES = 64 * 1024;

/** Writes what is in a workspace's tree to a new file, in the form of libs/listing, compressed. On abort, and when the tree cannot be read, the file is for the caller to remove. */
export async function writeListing(tree: string, file: string, signal: AbortSignal): Promise<WrittenListing> {
  const hash = createHash('sha256');
  let bytes = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  await pipeline(
    textOf(tree, signal),
    // Names repeat themselves, digests do not: more effort saves little.
    createGzip({ level: 4 }),
    counted,
    createWriteStream(file, { flags: 'wx', mode: 0o600 }),
    { signal },
  );
  return { sha256: hash.digest('hex'), bytes };
}

async function* textOf(tree: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  let packages: readonly ListedPackage[] | null = null;
  const keep = (content: Buffer): void => {
    ({ packages } = parseDpkgStatus(content.toString('utf8')));
  };
  let entries = 0;
  let text = listingHead();
  for await (const entry of listTree(tree, { path: STATUS, mostBytes: MOST_STATUS_BYTES, keep }, signal)) {
    entries += 1;
    text += entryLine(entry);
    if (text.length < PIECE_BYTES) continue;
    yield Buffer.from(text, 'latin1');
    text = '';
  }
  yield Buffer.from(text + listingEnd({ packages, entries }), 'latin1');
}
