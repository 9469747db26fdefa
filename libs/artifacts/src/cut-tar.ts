import { MOST_LARGE_FILES } from '#libs/contracts';
import { BLOCK, padded, parseAttributes, parseHeader } from './tree-members.js';

/** The content of a file of at least so many bytes is a piece of its own. Below, a blob's own cost is more than what is saved. */
export const LARGE_BYTES = 1024 * 1024;

/** Bytes of a tar, in order; `begins`: they begin a new piece. */
export interface CutBytes {
  readonly bytes: Buffer;
  readonly begins: boolean;
}

/** What is being read: all but content is gathered until it is whole. */
interface Part {
  readonly kind: 'header' | 'attributes' | 'content' | 'large';
  left: number;
  readonly gathered: Buffer[];
  /** Of an extended header: its length without padding. */
  readonly size: number;
}

/**
 * Cuts a tar, as `packTree` has it made, in front of and behind the content of large files, without their padding. The same tar is always cut in the same places. Throws
 * TreeError for what is no tar of that kind.
 */
export async function* cutTar(
  tar: AsyncIterable<Buffer>,
  largeBytes: number = LARGE_BYTES,
): AsyncGenerator<CutBytes> {
  const cutter = new Cutter(largeBytes);
  let begins = true;
  for await (const chunk of tar) {
    let from = 0;
    for (const at of cutter.cuts(chunk)) {
      yield { bytes: chunk.subarray(from, at), begins };
      from = at;
      begins = true;
    }
    if (from === chunk.length) continue;
    yield { bytes: chunk.subarray(from), begins };
    begins = false;
  }
}

class Cutter {
  private part: Part = partOf('header', BLOCK);
  private attributes: ReadonlyMap<string, string> | null = null;
  private largeFiles = 0;

  constructor(private readonly largeBytes: number) {}

  /** Where in the chunk pieces begin. */
  cuts(chunk: Buffer): readonly number[] {
    const cuts: number[] = [];
    for (let at = 0; at < chunk.length;) {
      const { part } = this;
      const taken = Math.min(part.left, chunk.length - at);
      if (part.kind === 'header' || part.kind === 'attributes')
        part.gathered.push(chunk.subarray(at, at + taken));
      part.left -= taken;
      at += taken;
      if (part.left > 0) break;
      this.part = this.next(part);
      if (part.kind === 'large' || this.part.kind === 'large') cuts.push(at);
    }
    return cuts;
  }

  private next({ kind, gathered, size }: Part): Part {
    if (kind === 'header') return this.afterHeader(Buffer.concat(gathered));
    if (kind === 'attributes') this.attributes = parseAttributes('', Buffer.concat(gathered), size);
    const padding = padded(size) - size;
    return kind === 'large' && padding > 0 ? partOf('content', padding) : partOf('header', BLOCK);
  }

  private afterHeader(block: Buffer): Part {
    // The end, and what fills up tar's last record.
    if (block.every((byte) => byte === 0)) return partOf('header', BLOCK);
    const { type, size } = parseHeader(block);
    if (type === 'x') return partOf('attributes', padded(size), size);
    const length = Number(this.attributes?.get('size') ?? size);
    this.attributes = null;
    if (length === 0) return partOf('header', BLOCK);
    if (length < this.largeBytes || this.largeFiles === MOST_LARGE_FILES)
      return partOf('content', padded(length));
    this.largeFiles += 1;
    return partOf('large', length, length);
  }
}

function partOf(kind: Part['kind'], left: number, size = 0): Part {
  return { kind, left, gathered: [], size };
}
