import type { PlannedStep } from '#libs/plan';

/** More than any script has to ask. What is beyond is not remembered: it is for people to look at. */
const MOST_NODEPATHS = 200;
const LONGEST_NODEPATH = 200;

/** What steps have asked of the manifest, and got. */
export class AskedReads {
  readonly #byStep = new Map<string, Set<string>>();

  see({ name }: PlannedStep, nodepath: string): void {
    const asked = this.#byStep.get(name) ?? new Set<string>();
    const isKept = nodepath.length <= LONGEST_NODEPATH && !/\p{Cc}/u.test(nodepath);
    if (isKept && asked.size < MOST_NODEPATHS) asked.add(nodepath);
    this.#byStep.set(name, asked);
  }

  /** Each once, sorted; at most 200, none longer than 200 characters. */
  of({ name }: PlannedStep): readonly string[] {
    return [...(this.#byStep.get(name) ?? [])].toSorted();
  }
}
