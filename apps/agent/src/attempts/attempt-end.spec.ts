import { TreeError } from '#libs/artifacts';
import { OutputError, SnapshotStoreError } from '#libs/engine';
import { ApiError } from '#libs/http-client';
import { describe, expect, it } from '@jest/globals';
import { planOf } from '../../../../libs/plan/src/testing.js';
import { Stopped, type StopKind } from './attempt.js';
import { AttemptFault, endOfError, endOfRun } from './attempt-end.js';
import { TransferError } from '../blobs/transfer-error.js';

const plan = planOf(['a', 'b']);
const [job] = plan.jobs;
const [, step] = plan.steps;

function end(result: Parameters<typeof endOfRun>[0], stopped: StopKind | null = null): unknown {
  return endOfRun(result, job!, stopped === null ? null : new Stopped(stopped));
}

describe('endOfRun', () => {
  it('tells a failure by the number of the step', () => {
    const outcome = { kind: 'exited', status: 2 } as const;
    expect(end({ kind: 'failed', failures: [{ step: step!, outcome }] })).toEqual({
      kind: 'failed',
      step: 1,
      outcome,
    });
  });

  it('takes a full store for no fault of the step', () => {
    const outcome = { kind: 'out-of-space', report: 'full' } as const;
    expect(end({ kind: 'failed', failures: [{ step: step!, outcome }] })).toMatchObject({
      kind: 'infrastructure',
      fault: 'no-space',
      at: 1,
    });
  });

  it.each<[StopKind, unknown]>([
    ['cancelled', { kind: 'cancelled', at: 1 }],
    ['shutdown', { kind: 'infrastructure', fault: 'stopped', at: 1 }],
  ])('tells that it was %s', (kind, expected) => {
    expect(end({ kind: 'interrupted', at: step!, reason: '' }, kind)).toMatchObject(expected as object);
  });

  it.each<StopKind>(['lease-lost', 'stale'])('tells nothing of what is another’s: %s', (kind) => {
    expect(end({ kind: 'interrupted', at: step!, reason: '' }, kind)).toBeNull();
  });
});

describe('endOfError', () => {
  it.each<[string, unknown, string]>([
    ['a full store', new SnapshotStoreError('NO_SPACE', 'x'), 'no-space'],
    ['a store in trouble', new SnapshotStoreError('BUSY', 'x'), 'store'],
    [
      'a full disk',
      Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }),
      'no-space',
    ],
    ['a tree that came broken', new TreeError('TREE_BROKEN', 'x'), 'transfer'],
    ['a file system that cannot keep a tree', new TreeError('ATTRIBUTES_LOST', 'x'), 'store'],
    ['an output that differs', new OutputError('OUTPUT_DIFFERS', 'p', 'x'), 'transfer'],
    ['bad bytes', new TransferError('x'), 'transfer'],
    ['a refusal', new ApiError('NOT_FOUND', 404, 'x', null, [], null), 'transfer'],
    ['a fault by name', new AttemptFault('base-missing', 'x'), 'base-missing'],
    ['a mistake of ours', new TypeError('x'), 'agent'],
  ])('says of %s: %s', (_, error, fault) => {
    expect(endOfError(error, 1)).toMatchObject({ kind: 'infrastructure', fault, at: 1 });
  });

  it('blames the step for an output that it did not write', () => {
    const error = new OutputError('OUTPUT_MISSING', 'pkg_image/x', 'no step wrote it');
    expect(endOfError(error, 0)).toEqual({ kind: 'output', step: 0, reason: 'no step wrote it' });
  });
});
