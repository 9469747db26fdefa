import { SnapshotStoreError } from '#libs/engine';
import type { Checkpoint } from '#libs/plan';
import { PassThrough, type Readable } from 'node:stream';
import { badStream, isCode } from '../store-errors.js';
import { BEGIN_BYTES, readStreamBegin } from './stream-begin.js';

/**
 * The stream, once its beginning has been read and is what was announced: a plain one, of this checkpoint, from this base. Throws BAD_STREAM
 * otherwise, before ZFS has seen anything of it.
 */
export async function readBegin(
  stream: Readable,
  { checkpoint, base }: { readonly checkpoint: Checkpoint; readonly base: Checkpoint | null },
): Promise<Readable> {
  // A short one may have come, and failed, before anybody looked: then nothing more is ever heard of it.
  if (stream.destroyed) throw badStream('the stream broke off', stream.errored);
  const out = new PassThrough();
  stream.once('error', (error) => out.destroy(badStream('the stream broke off', error)));
  stream.once('close', () => {
    if (!stream.readableEnded) out.destroy(badStream('the stream was cut'));
  });
  stream.pipe(out);
  const begin = readStreamBegin(await firstBytes(out, BEGIN_BYTES));
  const isAnnounced =
    begin?.toGuid === checkpoint.id &&
    begin.fromGuid === (base?.id ?? null) &&
    begin.isClone === (base !== null && base.workspace !== checkpoint.workspace);
  if (isAnnounced) return out;
  throw badStream(
    begin === null
      ? 'this is no plain ZFS stream of one snapshot'
      : `the stream is of snapshot ${begin.toGuid}, from ${begin.fromGuid ?? 'nothing'}; ${checkpoint.id} from ${base?.id ?? 'nothing'} was announced`,
  );
}

/** So many bytes, or all that there are; they stay in the stream. */
async function firstBytes(stream: Readable, count: number): Promise<Buffer> {
  for (;;) {
    const head = stream.read(count) as Buffer | null;
    if (head !== null) {
      stream.unshift(head);
      return head;
    }
    if (stream.readableEnded) return Buffer.alloc(0);
    await new Promise<void>((resolve, reject) => {
      stream.once('readable', resolve).once('end', resolve).once('error', reject);
    });
  }
}

/** What `zfs receive` says of a stream it cannot use has no words of its own among a store's. */
export function asBadStream(error: unknown): unknown {
  if (error instanceof SnapshotStoreError && !isCode(error, 'FAILED')) return error;
  return badStream(error instanceof Error ? error.message : String(error), error);
}
