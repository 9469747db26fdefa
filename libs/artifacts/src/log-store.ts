/**
 * Port: the log of each attempt, as the bytes that its agent sent, in their order. What `append` acknowledged survives the death of this process. Against a
 * power failure see the implementation: the length it has afterwards may be smaller, and `append` then says so by WRONG_OFFSET. Errors are
 * BlobError; BAD_NAME for what is no attempt's id.
 */
export abstract class LogStore {
  /** For people: where it is. Holds no secrets. */
  abstract readonly description: string;

  /** What to give `append` at once where there is more: less costs calls, more only memory. */
  abstract readonly pieceBytes: number;

  /**
   * Adds bytes at `offset` and resolves to the new length. What is there already is kept and not compared, so the same call again changes nothing, and of
   * one that overlaps the end only the rest is added. Calls for one attempt are done one after the other. Throws WRONG_OFFSET, with
   * the length there is, when bytes are missing in front.
   */
  abstract append(attempt: string, offset: number, bytes: Uint8Array): Promise<number>;

  /** 0 when nothing was appended yet. */
  abstract length(attempt: string): Promise<number>;

  /** At most `maxBytes` from `offset`; empty at the end and behind it. May give less than there is. */
  abstract read(attempt: string, offset: number, maxBytes: number): Promise<Buffer>;

  /** A log that is not there is no error. */
  abstract remove(attempt: string): Promise<void>;

  /** Lets go of what is open; nothing may be called after it. */
  async close(): Promise<void> {}
}
