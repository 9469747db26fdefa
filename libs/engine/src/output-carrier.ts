import type { Workspace } from './snapshot-store.js';

/** Port: brings a lane's declared output into the workspace it joins. */
export abstract class OutputCarrier {
  /**
   * Copies `path` (relative, the same in both) with modes, owners, links and times, replacing what is there, and compares the copy's digest with the original's.
   * Resolves to that digest (SHA-256, hex). Throws OutputError.
   */
  abstract carry(path: string, from: Workspace, to: Workspace): Promise<string>;
}

/** A declared output cannot be brought in: it was not written, leads out of the workspace, or changed on the way. */
export class OutputError extends Error {
  override readonly name = 'OutputError';
  constructor(
    readonly code: 'OUTPUT_MISSING' | 'OUTPUT_OUTSIDE' | 'OUTPUT_DIFFERS',
    readonly path: string,
    message: string,
  ) {
    super(message);
  }
}
