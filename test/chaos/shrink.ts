/**
 * Leaves one after the other out, as long as it still fails: what remains fails, and none of it can be left out alone. What fails only now and then may be lost on the
 * way; then it remains.
 */
export async function shrink<T>(
  all: readonly T[],
  stillFails: (fewer: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let least = all;
  for (let index = 0; index < least.length && least.length > 1;) {
    const fewer = least.toSpliced(index, 1);
    if (await stillFails(fewer)) least = fewer;
    else index += 1;
  }
  return least;
}
