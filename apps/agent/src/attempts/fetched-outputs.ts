import { unpackTree, type PieceFile } from '#libs/artifacts';
import type { Assignment, PackedTree } from '#libs/contracts';
import { OutputCarrier, OutputError, type Workspace } from '#libs/engine';
import type { OutputImport } from '#libs/plan';

/** Brings outputs of lanes that ran anywhere into a workspace, from their packed trees. */
export class FetchedOutputs extends OutputCarrier {
  constructor(
    private readonly imports: Assignment['imports'],
    private readonly fetch: (tree: PackedTree) => Promise<readonly PieceFile[]>,
    private readonly signal: AbortSignal,
  ) {
    super();
  }

  override async carry({ lane, path }: OutputImport, to: Workspace): Promise<string> {
    const tree = this.imports.find((each) => each.lane === lane && each.path === path)?.tree;
    if (tree === undefined) {
      throw new OutputError(
        'OUTPUT_MISSING',
        path,
        `lane ${lane} has not published "${path}", or the coordinator does not know of it`,
      );
    }
    await unpackTree(await this.fetch(tree), to.path, path, tree.treeSha256, this.signal);
    return tree.treeSha256;
  }
}
