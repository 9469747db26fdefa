import type { OutputImport } from '#libs/plan';
import type { Workspace } from './snapshot-store.js';

/** Port: brings a lane's declared output into the workspace it joins. */
export abstract class OutputCarrier {
  /**
   * Brings `output.path` (relative, the same in both) into `to` with modes, owners, links and times, replacing what is there, and checks the
   * digest of what arrived. `from` brings the lane's workspace to its end on this machine, which may take a roll back: it is for carriers that
   * copy from there, others leave it alone. Resolves to that digest (SHA-256, hex). Throws OutputError.
   */
  abstract carry(output: OutputImport, to: Workspace, from: () => Promise<Workspace>): Promise<string>;
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
