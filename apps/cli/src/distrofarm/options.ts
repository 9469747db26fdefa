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

const SIZE_UNITS = { '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 } as const;

/** For commander: bytes, in decimal units. */
export function byteCount(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,15}(?:\.\d{1,3})?)([kMGT]?)B?$/.exec(text) ?? [];
  const bytes = Math.round(Number(number) * SIZE_UNITS[unit as keyof typeof SIZE_UNITS]);
  if (number === '' || bytes > 1e15)
    throw new InvalidArgumentError('Expected a size such as 500M, 20G or 1.5T.');
  return bytes;
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

/** For commander: reuse is what a farm does by itself, and `--reuse` says so all the same. Neither: `undefined`. */
export function reuseOptions(): readonly [Option, Option] {
  return [
    new Option('--reuse', 'as without it: what is the same is not run again').hideHelp(),
    new Option('--no-reuse', 'run every step, also those that other builds or variants have made already'),
  ];
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
