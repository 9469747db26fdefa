import { describe, expect, it } from '@jest/globals';
import type { JobId, VariantId } from '#libs/contracts';
import { statesOf, type JobOfStates } from './states.js';

const variant = 'v-0000000001' as VariantId;
const idOf = (index: number): JobId => `j-000000000${index}` as JobId;
const job = (index: number, base_job: number | null, end_key: string | null): JobOfStates => ({
  id: idOf(index),
  variant_id: variant,
  index,
  base_job,
  end_key,
});
const steps = (index: number, ...names: readonly string[]) =>
  names.map((name, at) => ({ job_id: idOf(index), index: 10 * index + at, name }));
const keys = (index: number, ...known: readonly string[]) =>
  known.map((key, at) => ({ job_id: idOf(index), position: at + 1, key }));
const lines = (...given: Parameters<typeof statesOf>): readonly string[] =>
  statesOf(...given).map(({ key, parent, step }) => `${parent ?? '-'} ${step ?? '-'} ${key}`);

describe('where a state comes from', () => {
  it('is the boundary in front of the step that led to it', () => {
    expect(lines([job(0, null, 'e')], steps(0, 'pop', 'mod'), keys(0, 'k1', 'k2', 'e'))).toEqual([
      '- - k1',
      'k1 pop k2',
      'k2 mod e',
    ]);
  });

  it('is the end of the job that a lane goes on from', () => {
    const jobs = [job(1, 0, null), job(0, null, 'e')];
    expect(
      lines(jobs, [...steps(0, 'pop'), ...steps(1, 'iso')], [...keys(1, 'l1', 'l2'), ...keys(0, 'k1', 'e')]),
    ).toEqual(['e - l1', 'l1 iso l2', '- - k1', 'k1 pop e']);
  });

  it('is nothing that is known where the end is not', () => {
    expect(lines([job(0, null, null), job(1, 0, null)], steps(1, 'iso'), keys(1, 'l1'))).toEqual(['- - l1']);
  });

  it('is said once for all that have the key', () => {
    const other = { ...job(1, null, 'e'), variant_id: 'v-0000000002' as VariantId };
    const both = [...keys(0, 'k1', 'e'), ...keys(1, 'k1', 'e')];
    expect(lines([job(0, null, 'e'), other], [...steps(0, 'pop'), ...steps(1, 'renamed')], both)).toEqual([
      '- - k1',
      'k1 pop e',
    ]);
  });
});
