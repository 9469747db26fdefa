import type { Checkpoint } from '#libs/plan';
import { expect } from '@jest/globals';
import fc from 'fast-check';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SnapshotStore } from './snapshot-store.js';

const WORKSPACES = ['main', 'lane', 'side'];
const LABELS = ['a', 'b', 'c'];
const FILES = ['pkg_image/f', 'pkg_image/g', 'tmp/f', 'tmp/f/deep'];

/** Paths of files with their contents; folders end with `/`. */
type Tree = ReadonlyMap<string, string>;

interface ModelCheckpoint {
  readonly label: string;
  readonly tree: Tree;
  /** As the store gave it. */
  readonly real: Checkpoint;
}

interface ModelWorkspace {
  tree: Tree;
  checkpoints: ModelCheckpoint[];
  readonly origin: ModelCheckpoint | null;
}

/** What a store should be: plain values, which cannot be shared by mistake. */
class Model {
  readonly workspaces = new Map<string, ModelWorkspace>();

  constructor(
    readonly empty: Tree,
    readonly areaOf: (workspace: string) => string,
  ) {}

  /** Forgets checkpoints and whatever came from them. */
  drop(checkpoints: readonly ModelCheckpoint[]): void {
    for (const [name, { origin }] of this.workspaces) {
      if (origin !== null && checkpoints.includes(origin)) this.destroy(name);
    }
  }

  destroy(name: string): void {
    const workspace = this.workspaces.get(name);
    this.workspaces.delete(name);
    this.drop(workspace?.checkpoints ?? []);
  }

  /** Workspaces that a workspace came from, itself included. */
  ancestors(name: string): readonly string[] {
    const origin = this.workspaces.get(name)?.origin;
    return origin == null ? [name] : [name, ...this.ancestors(origin.real.workspace)];
  }
}

/** A store and the folder that has its workspaces in it; see `StoreUnderTest`. */
export interface ModelledStore {
  readonly store: SnapshotStore;
  readonly root: string;
  /** Where the workspaces are of several areas: what one has of another one is no fork that goes with it. Default: all in one, side by side in `root`. */
  readonly areas?: {
    readonly areaOf: (workspace: string) => string;
    readonly pathOf: (workspace: string) => string;
  };
  reopen(): SnapshotStore;
  cleanup(): Promise<void>;
}

interface Real {
  readonly area: ModelledStore;
  store: SnapshotStore;
}

type Command = fc.AsyncCommand<Model, Real>;

/** Something done to the model and to the store, after which both are compared. */
abstract class Step implements Command {
  check(): boolean {
    return true;
  }
  async run(model: Model, real: Real): Promise<void> {
    await this.act(model, real);
    for (const name of WORKSPACES) {
      const workspace = model.workspaces.get(name);
      expect(await readTree(pathOf(real.area, name))).toEqual(workspace?.tree ?? null);
      expect(await real.store.list(name)).toEqual(
        workspace?.checkpoints.map((checkpoint) => checkpoint.real) ?? [],
      );
    }
  }
  protected abstract act(model: Model, real: Real): Promise<void>;
  abstract toString(): string;
}

class StartEmpty extends Step {
  constructor(private readonly workspace: string) {
    super();
  }
  protected override async act(model: Model, { store }: Real): Promise<void> {
    await store.startEmpty(this.workspace);
    model.destroy(this.workspace);
    model.workspaces.set(this.workspace, { tree: model.empty, checkpoints: [], origin: null });
  }
  override toString(): string {
    return `startEmpty(${this.workspace})`;
  }
}

class Take extends Step {
  constructor(
    private readonly workspace: string,
    private readonly label: string,
  ) {
    super();
  }
  protected override async act(model: Model, { store }: Real): Promise<void> {
    const workspace = model.workspaces.get(this.workspace);
    const taking = store.take(this.workspace, this.label, { of: this.workspace });
    if (workspace === undefined) {
      await expect(taking).rejects.toMatchObject({ code: 'NOT_FOUND' });
    } else if (workspace.checkpoints.some(({ label }) => label === this.label)) {
      await expect(taking).rejects.toMatchObject({ code: 'EXISTS' });
    } else {
      workspace.checkpoints.push({ label: this.label, tree: workspace.tree, real: await taking });
    }
  }
  override toString(): string {
    return `take(${this.workspace}, ${this.label})`;
  }
}

/** From a checkpoint of the same workspace: a roll back; of another one: a fork. */
class StartFrom extends Step {
  constructor(
    private readonly source: string,
    private readonly nth: number,
    private readonly workspace: string,
  ) {
    super();
  }
  override check(model?: Readonly<Model>): boolean {
    return (model?.workspaces.get(this.source)?.checkpoints.length ?? 0) > 0;
  }
  protected override async act(model: Model, { store }: Real): Promise<void> {
    const { checkpoints } = model.workspaces.get(this.source)!;
    const index = this.nth % checkpoints.length;
    const checkpoint = checkpoints[index]!;
    if (this.source !== this.workspace && model.ancestors(this.source).includes(this.workspace)) {
      await expect(store.startFrom(checkpoint.real, this.workspace)).rejects.toMatchObject({
        code: 'FAILED',
      });
      return;
    }
    await store.startFrom(checkpoint.real, this.workspace);
    if (this.source === this.workspace) rollBackModel(model, this.workspace, index);
    else forkModel(model, checkpoint, this.workspace);
  }
  override toString(): string {
    return `startFrom(${this.source}[${this.nth}], ${this.workspace})`;
  }
}

function rollBackModel(model: Model, name: string, index: number): void {
  const workspace = model.workspaces.get(name)!;
  const dropped = workspace.checkpoints.splice(index + 1);
  workspace.tree = workspace.checkpoints[index]!.tree;
  model.drop(dropped);
}

function forkModel(model: Model, checkpoint: ModelCheckpoint, name: string): void {
  model.destroy(name);
  const isOwn = model.areaOf(checkpoint.real.workspace) === model.areaOf(name);
  const origin = isOwn ? checkpoint : null;
  model.workspaces.set(name, { tree: checkpoint.tree, checkpoints: [], origin });
}

class Destroy extends Step {
  constructor(private readonly workspace: string) {
    super();
  }
  protected override async act(model: Model, { store }: Real): Promise<void> {
    await store.destroy(this.workspace);
    model.destroy(this.workspace);
  }
  override toString(): string {
    return `destroy(${this.workspace})`;
  }
}

/** Writes a file, makes a folder, or removes what is there, whatever was there before. */
class Edit extends Step {
  constructor(
    private readonly workspace: string,
    private readonly file: string,
    private readonly content: string | null,
  ) {
    super();
  }
  override check(model?: Readonly<Model>): boolean {
    return model?.workspaces.has(this.workspace) === true;
  }
  protected override async act(model: Model, { area }: Real): Promise<void> {
    const workspace = model.workspaces.get(this.workspace)!;
    await editFolder(pathOf(area, this.workspace), this.file, this.content);
    workspace.tree = editTree(workspace.tree, this.file, this.content);
  }
  override toString(): string {
    return `edit(${this.workspace}, ${this.file}, ${JSON.stringify(this.content)})`;
  }
}

function pathOf({ areas, root }: ModelledStore, workspace: string): string {
  return areas?.pathOf(workspace) ?? join(root, workspace);
}

/** Replaces whatever is in the way of `file`: a file where its folder should be, a folder where it should be. */
async function editFolder(folder: string, file: string, content: string | null): Promise<void> {
  const parent = file.slice(0, file.lastIndexOf('/'));
  const isInTheWay = await readFile(join(folder, parent)).then(
    () => true,
    () => false,
  );
  if (isInTheWay) await rm(join(folder, parent));
  await mkdir(join(folder, parent), { recursive: true });
  // Written in place when it is there already, as most tools do.
  const canWrite =
    content !== null &&
    (await writeFile(join(folder, file), content).then(
      () => true,
      () => false,
    ));
  if (canWrite) return;
  await rm(join(folder, file), { recursive: true, force: true });
  if (content !== null) await writeFile(join(folder, file), content);
}

function editTree(tree: Tree, file: string, content: string | null): Tree {
  const parent = file.slice(0, file.lastIndexOf('/'));
  const rest = [...tree].filter(([path]) => path !== file && path !== parent && !path.startsWith(`${file}/`));
  const added: [string, string][] = content === null ? [] : [[file, content]];
  return new Map([...rest, [`${parent}/`, ''] as const, ...added].toSorted(byPath));
}

class Restart extends Step {
  protected override act(_model: Model, real: Real): Promise<void> {
    real.store = real.area.reopen();
    return Promise.resolve();
  }
  override toString(): string {
    return 'restart';
  }
}

async function readTree(folder: string): Promise<Tree | null> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => null);
  if (entries === null) return null;
  const paths = entries.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(folder.length + 1);
    return entry.isDirectory()
      ? ([`${name}/`, ''] as const)
      : ([name, await readFile(path, 'utf8')] as const);
  });
  return new Map((await Promise.all(paths)).toSorted(byPath));
}

function byPath([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : Number(a > b);
}

const workspace = fc.constantFrom(...WORKSPACES);
const COMMANDS = [
  workspace.map((name) => new StartEmpty(name)),
  fc.tuple(workspace, fc.constantFrom(...LABELS)).map(([name, label]) => new Take(name, label)),
  fc.tuple(workspace, fc.constantFrom(...LABELS)).map(([name, label]) => new Take(name, label)),
  fc
    .tuple(workspace, fc.nat({ max: 2 }), workspace)
    .map(([source, nth, name]) => new StartFrom(source, nth, name)),
  workspace.map((name) => new Destroy(name)),
  fc
    .tuple(workspace, fc.constantFrom(...FILES), fc.constantFrom('one', 'two', null))
    .map(([name, file, content]) => new Edit(name, file, content)),
  fc.constant(new Restart()),
];

/** Compares a store with a model after random calls; a difference is shrunk to a short list of calls. */
export async function checkAgainstModel(
  makeStore: () => Promise<ModelledStore>,
  layout: readonly string[],
  runs: number,
): Promise<void> {
  const empty: Tree = new Map(layout.map((folder): [string, string] => [`${folder}/`, '']).toSorted(byPath));
  const property = fc.asyncProperty(
    fc.commands(COMMANDS, { maxCommands: 30, size: 'max' }),
    async (commands) => {
      const area = await makeStore();
      try {
        await area.store.startEmpty('main');
        const model = new Model(empty, area.areas?.areaOf ?? (() => ''));
        model.workspaces.set('main', { tree: empty, checkpoints: [], origin: null });
        await fc.asyncModelRun(() => ({ model, real: { area, store: area.store } }), commands);
      } finally {
        await area.cleanup();
      }
    },
  );
  await fc.assert(property, { numRuns: runs, endOnFailure: false });
}
