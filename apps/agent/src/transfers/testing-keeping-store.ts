import {
  SnapshotStore,
  SnapshotStoreError,
  type CheckpointId,
  type PartialReceive,
  type Space,
  type Workspace,
} from '#libs/engine';
import type { Checkpoint, CheckpointFacts } from '#libs/plan';
import { Readable } from 'node:stream';

interface Kept {
  readonly id: string;
  readonly base: string | null;
  readonly pieces: readonly Buffer[];
}

/** Keeps what came of a stream that broke off, as only a store of OpenZFS does, in front of one that does not. */
export class KeepingStore extends SnapshotStore {
  override readonly description = 'keeps what comes';
  #kept: Kept | null = null;

  constructor(private readonly store: SnapshotStore) {
    super();
  }

  override async startEmpty(workspace: string): Promise<Workspace> {
    this.#kept = null;
    return await this.store.startEmpty(workspace);
  }

  override async startFrom(checkpoint: Checkpoint, workspace: string): Promise<Workspace> {
    this.#kept = null;
    return await this.store.startFrom(checkpoint, workspace);
  }

  override async take(workspace: string, label: string, facts: CheckpointFacts): Promise<Checkpoint> {
    this.#kept = null;
    return await this.store.take(workspace, label, facts);
  }

  override async list(workspace: string): Promise<readonly Checkpoint[]> {
    return await this.store.list(workspace);
  }

  override async isAsTaken(checkpoint: Checkpoint): Promise<boolean> {
    return await this.store.isAsTaken(checkpoint);
  }

  override async destroy(workspace: string): Promise<void> {
    this.#kept = null;
    await this.store.destroy(workspace);
  }

  override async space(): Promise<Space> {
    return await this.store.space();
  }

  override async send(checkpoint: Checkpoint, base: Checkpoint | null): Promise<Readable> {
    return await this.store.send(checkpoint, base);
  }

  override async estimateSend(checkpoint: Checkpoint, base: Checkpoint | null): Promise<number | null> {
    return await this.store.estimateSend(checkpoint, base);
  }

  override partial({ id }: CheckpointId, base: Checkpoint | null): Promise<PartialReceive | null> {
    const kept = this.#kept;
    if (kept?.id !== id || kept.base !== (base?.id ?? null)) return Promise.resolve(null);
    const bytes = lengthOf(kept.pieces);
    return Promise.resolve(bytes === 0 ? null : { position: `at${bytes}`, bytes });
  }

  override async sendRest(
    checkpoint: Checkpoint,
    base: Checkpoint | null,
    position: string,
  ): Promise<Readable | null> {
    const at = /^at([1-9]\d{0,9})$/.exec(position)?.[1];
    if (at === undefined) return null;
    return Readable.from(behind(await this.store.send(checkpoint, base), Number(at)));
  }

  override async receive(
    checkpoint: Checkpoint,
    base: Checkpoint | null,
    stream: Readable,
    position?: string,
  ): Promise<void> {
    if (position !== undefined && (await this.partial(checkpoint, base))?.position !== position) {
      stream.destroy();
      throw new SnapshotStoreError('BAD_STREAM', 'that is not what is here');
    }
    const pieces = position === undefined ? [] : [...(this.#kept?.pieces ?? [])];
    this.#kept = null;
    try {
      for await (const piece of stream) pieces.push(Buffer.from(piece as Buffer));
    } catch (error) {
      this.#kept = { id: checkpoint.id, base: base?.id ?? null, pieces };
      throw new SnapshotStoreError('BAD_STREAM', 'the stream broke off', null, { cause: error });
    }
    await this.store.receive(checkpoint, base, Readable.from(pieces, { objectMode: false }));
  }
}

async function* behind(stream: Readable, at: number): AsyncGenerator<Buffer> {
  let seen = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    const rest = piece.subarray(Math.max(0, Math.min(piece.length, at - seen)));
    seen += piece.length;
    if (rest.length > 0) yield Buffer.from(rest);
  }
}

function lengthOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}
