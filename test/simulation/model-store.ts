import {
  encodeFacts,
  factsAt,
  factsOfTree,
  type Boundary,
  type Checkpoint,
  type CheckpointFacts,
  type Plan,
} from '#libs/plan';
import type { Holding } from '#libs/contracts';

/**
 * What is in a workspace, as the list of what was done to it: `a/g1/t-0.2` for step a, run by attempt t-0.2 in generation 1 of its job, `~a/g1/t-0.2` where it
 * began and did not end, `+path` for an output that was brought in.
 */
export type Content = readonly string[];

export interface ModelCheckpoint extends Checkpoint {
  readonly content: Content;
}

/** The snapshot store says no: a process is in the workspace. */
export class Busy extends Error {
  override readonly name = 'Busy';
}

/** The snapshot store of a host for one area, with the processes in its workspaces. As libs/engine's SnapshotStore says. */
export class ModelStore {
  readonly #checkpoints = new Map<string, readonly ModelCheckpoint[]>();
  readonly #contents = new Map<string, Content>();
  /** Steps that run, by workspace. */
  readonly processes = new Map<string, { readonly step: string }>();

  constructor(private readonly newId: () => string) {}

  list(workspace: string): readonly ModelCheckpoint[] {
    return this.#checkpoints.get(workspace) ?? [];
  }

  all(): readonly ModelCheckpoint[] {
    return [...this.#checkpoints.values()].flat();
  }

  contentOf(workspace: string): Content {
    return this.#contents.get(workspace) ?? [];
  }

  write(workspace: string, content: Content): void {
    this.#contents.set(workspace, content);
  }

  startEmpty(workspace: string): void {
    this.#refuseBusy(workspace);
    this.#checkpoints.set(workspace, []);
    this.#contents.set(workspace, []);
  }

  /** Newer checkpoints of the workspace go. */
  startFrom({ id, content, workspace: own }: ModelCheckpoint, workspace: string): void {
    this.#refuseBusy(workspace);
    const all = this.list(workspace);
    const at = own === workspace ? all.findIndex((checkpoint) => checkpoint.id === id) : -1;
    this.#checkpoints.set(workspace, all.slice(0, at + 1));
    this.#contents.set(workspace, content);
  }

  take(plan: Plan, boundary: Boundary, previous: string, lineage: string): ModelCheckpoint {
    return this.#take(boundary, encodeFacts(factsAt(boundary, previous, plan.digests, lineage, EPOCH)));
  }

  /** Of what was published of it. */
  takeBase(
    plan: Plan,
    boundary: Boundary,
    base: { readonly lineage: string; readonly tree: string },
  ): ModelCheckpoint {
    return this.#take(boundary, factsOfTree(boundary, plan.digests, base, EPOCH));
  }

  #take(boundary: Boundary, facts: CheckpointFacts): ModelCheckpoint {
    const { workspace, label } = boundary;
    if (this.list(workspace).some((checkpoint) => checkpoint.label === label))
      throw new Busy(`there is a checkpoint ${label} already`);
    const checkpoint = { id: this.newId(), workspace, label, facts, content: this.contentOf(workspace) };
    this.#checkpoints.set(workspace, [...this.list(workspace), checkpoint]);
    return checkpoint;
  }

  /** The workspace is rolled back to `base` when that is of it, and made anew otherwise. */
  receive(checkpoint: ModelCheckpoint, base: Checkpoint | null): void {
    const { workspace, content } = checkpoint;
    this.#refuseBusy(workspace);
    const all = this.list(workspace);
    const at = base === null ? -1 : all.findIndex(({ id }) => id === base.id);
    this.#checkpoints.set(workspace, [...all.slice(0, at + 1), checkpoint]);
    this.#contents.set(workspace, content);
  }

  #refuseBusy(workspace: string): void {
    if (this.processes.has(workspace)) throw new Busy(`a step runs in ${workspace}`);
  }
}

const EPOCH = new Date(0);

export function holdingOf({ id, workspace, label, facts }: Checkpoint): Holding {
  return { id, workspace, label, lineage: facts['build']!, previous: facts['previous']!, takenAt: 0 };
}
