import { InvalidArgumentError } from 'commander';
import { parseDuration } from './durations.js';

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

/** For commander: an option that may be given several times. */
export function several(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
