import type { Matrix } from '#libs/contracts';
import { parseDuration } from '#libs/watch';
import { InvalidArgumentError, Option } from 'commander';

/** For commander: a whole number from 1. */
export function count(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 1.');
  return Number(text);
}

/** For commander: how many copies of checkpoints. */
export function replicas(text: string): number {
  if (!/^[0-3]$/.test(text))
    throw new InvalidArgumentError(`Expected a number from 0 to 3, of agents beside the one that builds.`);
  return Number(text);
}

/** For commander: a duration in milliseconds. */
export function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === null)
    throw new InvalidArgumentError('Expected seconds, or a duration such as 90s, 10m, 2h or 3d.');
  return ms;
}

/** For commander: what `submit`, `plan` and `variants` take instead of names of variants. */
export function matrixOption(): Option {
  return new Option(
    '-M, --matrix <axis[=values]>',
    'build every combination of these values of the axes; may be repeated: locale=en,de',
  )
    .argParser(matrix)
    .conflicts('variant');
}

/** For commander: `axis=value,value`, or `axis` for all its values; given several times, the union. */
export function matrix(text: string, before: Matrix = {}): Matrix {
  const match = /^([A-Za-z]\w*)(?:=([\w-]+(?:,[\w-]+)*))?$/.exec(text);
  if (match === null)
    throw new InvalidArgumentError(
      'Expected an axis of the manifest with values of it, as in locale=en,de; or only an axis, for all its values.',
    );
  const [, axis = '', values] = match;
  const earlier = Object.hasOwn(before, axis) ? before[axis] : undefined;
  // Once all are wanted, no more can be.
  const all = values === undefined || earlier?.length === 0;
  return { ...before, [axis]: all ? [] : [...new Set([...(earlier ?? []), ...values.split(',')])] };
}

/** For commander: an option that may be given several times. */
export function several(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
