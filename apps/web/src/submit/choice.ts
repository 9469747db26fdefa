import type { Matrix, Priority } from '#libs/contracts';

/** What is said about a submission beside its files. */
export interface Choice {
  /** Combinations of values of axes instead of named variants. */
  readonly byAxes: boolean;
  /** Names of variants; `null`: all that the manifest has. */
  readonly variants: readonly string[] | null;
  /** Values by axis; axes without any are left alone. */
  readonly values: Matrix;
  readonly priority: Priority;
  /** Name of a step; `null`: no pause. */
  readonly pauseBefore: string | null;
  readonly reuse: boolean;
  readonly waitForReplicas: boolean;
  readonly waitForAgents: boolean;
  readonly note: string;
  /** Names of files to send along that nothing names. */
  readonly extras: readonly string[];
}

export const AS_IT_IS: Choice = {
  byAxes: false,
  variants: null,
  values: {},
  priority: 'normal',
  pauseBefore: null,
  reuse: true,
  waitForReplicas: false,
  waitForAgents: false,
  note: '',
  extras: [],
};

/** As it holds for a manifest: steps and files of an earlier one may be meant that this one does not have. */
export function choiceFor(
  choice: Choice,
  steps: readonly { readonly name: string }[],
  spare: readonly { readonly name: string }[],
): Choice {
  const has = (named: readonly { readonly name: string }[], name: string | null): boolean =>
    named.some((each) => each.name === name);
  return {
    ...choice,
    pauseBefore: has(steps, choice.pauseBefore) ? choice.pauseBefore : null,
    extras: choice.extras.filter((name) => has(spare, name)),
  };
}
