import type { Checkpoint } from '#libs/plan';
import { createHash } from 'node:crypto';
import { pipeline, Transform, type Readable } from 'node:stream';
import { badStream } from '../store-errors.js';
import type { ByteReader } from './byte-reader.js';
import { encodeTimes, END_BYTES, type Times } from './send-stream.js';

/*
 * A checkpoint on its way: one line that says whose it is, the stream of `btrfs send`, and the SHA-256 of both. btrfs has checksums of its own, but a
 * command that is missing altogether has none; and its UUIDs are others on each host.
 */

export interface SentCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly base: Checkpoint | null;
  /** Of the top of its tree. */
  readonly times: Times;
}

/** What `btrfs send` writes, as a checkpoint's stream. When it is closed, so is `sent`. */
export function frameStream(sent: Readable, { checkpoint, base, times }: SentCheckpoint): Readable {
  const hash = createHash('sha256');
  let last: Buffer = Buffer.alloc(0);
  const framed = new Transform({
    transform: (bytes: Buffer, _, done) => {
      const all = Buffer.concat([last, bytes]);
      const ready = all.subarray(0, Math.max(0, all.length - END_BYTES));
      last = all.subarray(ready.length);
      hash.update(ready);
      done(null, ready);
    },
    flush: (done) => {
      // btrfs makes new files at the top of the tree before they go where they belong, and does not put its times right again.
      const end = Buffer.concat([encodeTimes(times), last]);
      done(null, Buffer.concat([end, hash.update(end).digest()]));
    },
    destroy: (error, done) => {
      if (sent.closed) done(error);
      else sent.once('close', () => done(error)).destroy();
    },
  });
  framed.write(beginning(checkpoint, base));
  pipeline(sent, framed, () => undefined);
  return framed;
}

/** Takes the first line. Throws BAD_STREAM when it is not that of this checkpoint from this base. */
export async function takeBeginning(
  reader: ByteReader,
  checkpoint: Checkpoint,
  base: Checkpoint | null,
): Promise<void> {
  const announced = beginning(checkpoint, base);
  const found = await reader.take(announced.length);
  if (found.equals(announced)) return;
  throw badStream(`the stream begins with ${JSON.stringify(found.toString())}, not ${announced.toString()}`);
}

function beginning({ id }: Checkpoint, base: Checkpoint | null): Buffer {
  return Buffer.from(`${JSON.stringify({ format: 'distrofarm-btrfs-1', id, base: base?.id ?? null })}\n`);
}
