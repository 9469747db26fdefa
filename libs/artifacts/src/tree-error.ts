/** What went wrong with a packed tree. Callers branch on these. */
export type TreeErrorCode =
  /** The tree changed while it was packed, or tar could not read it. */
  | 'PACK_FAILED'
  /** Truncated, damaged, not the blob that was asked for, or tar could not write it: fetch it again. */
  | 'TREE_BROKEN'
  /** A member that `packTree` never writes: a way out of the folder, or a form of header it does not use. Made with intent, or not by us. */
  | 'TREE_REFUSED'
  /** It unpacked to something else than it was packed from. */
  | 'TREE_DIFFERS'
  /** The file system here cannot keep extended attributes that the tree has (capabilities, ACLs), so an image built here would differ. */
  | 'ATTRIBUTES_LOST'
  /** The folder to unpack a whole workspace into is not empty. */
  | 'NOT_EMPTY';

export class TreeError extends Error {
  override readonly name = 'TreeError';
  constructor(
    readonly code: TreeErrorCode,
    message: string,
    readonly hint: string | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
