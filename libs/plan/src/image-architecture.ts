import type { Job } from './plan.js';

/** Words for architectures in a script's arguments. */
const ARCHITECTURES = ['amd64', 'i386', 'arm64', 'armhf', 'riscv64', 'ppc64el', 's390x'];
const DEFAULT_ARCHITECTURE = 'amd64';

/**
 * What the job's image is for: the first architecture that a step names among its arguments (as the shipped finalizers want it), else amd64. The classic schema has no word for
 * it; `farm:requires labels` can demand more of an agent.
 */
export function imageArchitecture({ steps }: Pick<Job, 'steps'>): string {
  const named = steps.flatMap(({ args }) => args).find((arg) => ARCHITECTURES.includes(arg));
  return named ?? DEFAULT_ARCHITECTURE;
}
