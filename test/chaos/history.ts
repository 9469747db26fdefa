import { appendFileSync } from 'node:fs';

export type Phase =
  /** Asked for; nothing is known of it yet. */
  | 'invoke'
  | 'ok'
  /** Refused: it has not happened. */
  | 'fail'
  /** No answer: it may have happened, or not. */
  | 'info';

/** Something that the harness did: an operation of a user's, or a fault. */
export interface Operation {
  /** Milliseconds since 1970, and since this process began. */
  readonly wall: number;
  readonly at: number;
  readonly actor: 'user' | 'chaos';
  /** submit, pause, resume, cancel; or the name of a fault. */
  readonly name: string;
  readonly phase: Phase;
  readonly build: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

export type NewOperation = Pick<Operation, 'actor' | 'name' | 'phase'> & Partial<Operation>;

/** Every operation of the harness, in order; also as JSON lines in a file, which says how far it was when it is killed. */
export class History {
  readonly #operations: Operation[] = [];

  constructor(readonly path: string) {}

  get operations(): readonly Operation[] {
    return this.#operations;
  }

  record(given: NewOperation): Operation {
    const operation = { wall: Date.now(), at: performance.now(), build: null, data: {}, ...given };
    this.#operations.push(operation);
    appendFileSync(this.path, `${JSON.stringify(operation)}\n`);
    return operation;
  }
}

/** Without what was only said again, because no answer had come. A submission is known by its key, since its build is not known yet. */
export function withoutRepeats(operations: readonly Operation[]): readonly Operation[] {
  const asked = new Set<string>();
  return operations.filter(({ actor, name, phase, build, data }) => {
    if (actor !== 'user') return true;
    const call = JSON.stringify([name, data['key'] ?? build]);
    if (phase === 'info') return false;
    if (phase !== 'invoke') return asked.delete(call);
    if (asked.has(call)) return false;
    asked.add(call);
    return true;
  });
}
