import { SnapshotStoreError } from '#libs/engine';
import type { Checkpoint } from '#libs/plan';
import type { Readable } from 'node:stream';
import { badStream, isCode } from '../store-errors.js';
import type { StreamPosition } from './resume-token.js';
import { BEGIN_BYTES, readRestBegin, readStreamBegin } from './stream-begin.js';

export interface AnnouncedStream {
  readonly checkpoint: Checkpoint;
  readonly base: Checkpoint | null;
  /** Where it goes on; `null`: at the beginning. */
  readonly position: StreamPosition | null;
}

/**
 * The stream, once its beginning has been read and is what was announced: a plain one, of this checkpoint, from this base, from this position on. Throws
 * BAD_STREAM otherwise, before ZFS has seen anything of it, and where it is read when it breaks off.
 */
export async function readBegin(
  stream: Readable,
  announced: AnnouncedStream,
): Promise<AsyncIterable<Buffer>> {
  const { checkpoint, base, position } = announced;
  const pieces = piecesOf(stream);
  const first = await takeFirst(pieces, BEGIN_BYTES);
  const begin = readStreamBegin(Buffer.concat(first));
  const isAnnounced =
    begin?.toGuid === checkpoint.id &&
    begin.fromGuid === (base?.id ?? null) &&
    begin.isClone === (base !== null && base.workspace !== checkpoint.workspace);
  if (!isAnnounced)
    throw badStream(
      begin === null
        ? 'this is no plain ZFS stream of one snapshot'
        : `the stream is of snapshot ${begin.toGuid}, from ${begin.fromGuid ?? 'nothing'}; ${checkpoint.id} from ${base?.id ?? 'nothing'} was announced`,
    );
  if (!begin.isRest && position === null) return chained(first, pieces);
  const more = await takeFirst(pieces, BEGIN_BYTES + begin.listBytes - lengthOf(first));
  const list = Buffer.concat([...first, ...more]).subarray(BEGIN_BYTES, BEGIN_BYTES + begin.listBytes);
  const at = begin.isRest ? readRestBegin(list) : null;
  if (position !== null && at?.object === position.object && at.offset === position.offset)
    return chained([...first, ...more], pieces);
  throw badStream(`the stream of ${checkpoint.id} does not go on where it broke off`);
}

async function* piecesOf(stream: Readable): AsyncGenerator<Buffer> {
  try {
    for await (const piece of stream) yield piece as Buffer;
  } catch (error) {
    throw badStream('the stream broke off', error);
  }
}

function lengthOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/** As many pieces as have so many bytes together, or all. */
async function takeFirst(pieces: AsyncGenerator<Buffer>, bytes: number): Promise<readonly Buffer[]> {
  const taken: Buffer[] = [];
  for (let missing = bytes; missing > 0;) {
    const next = await pieces.next();
    if (next.done === true) break;
    taken.push(next.value);
    missing -= next.value.length;
  }
  return taken;
}

async function* chained(first: readonly Buffer[], rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* first;
  yield* rest;
}

/** What `zfs receive` says of a stream it cannot use has no words of its own among a store's. */
export function asBadStream(error: unknown): unknown {
  if (error instanceof SnapshotStoreError && !isCode(error, 'FAILED')) return error;
  const said = error instanceof Error ? error.message : String(error);
  // What a person would have to do is done here; and it is long.
  return badStream(said.replace(/\s*Partially received snapshot is saved[^]*$/, ''), error);
}
