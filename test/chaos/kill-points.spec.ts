import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KillPoints } from './kill-points.js';

describe('places to be killed at', () => {
  let folder: string;
  let points: KillPoints;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kill-points-'));
    points = new KillPoints(folder, () => {
      throw new Error('killed');
    });
  });
  afterEach(() => rm(folder, { recursive: true }));

  const isKilled = (program: string, at: string, job: string | null = null): boolean => {
    try {
      points.reach(program, { moment: 'before', at }, { build: null, job, attempt: null });
      return false;
    } catch {
      return true;
    }
  };

  it('do nothing until they are armed, and then only to the programs that they are armed for', () => {
    expect(isKilled('agent0', 'a')).toBe(false);
    points.arm('agent');
    expect([isKilled('coordinator', 'a'), isKilled('agent1', 'a')]).toEqual([false, true]);
    points.arm(null);
    expect(isKilled('agent0', 'b')).toBe(false);
  });

  it('are hit once each, and tell of it', () => {
    points.arm('agent');
    expect([
      isKilled('agent0', 'a', 'x'),
      isKilled('agent1', 'a', 'y'),
      isKilled('agent1', 'b', 'z'),
    ]).toEqual([true, false, true]);
    expect(points.kills).toMatchObject([
      { program: 'agent0', moment: 'before', at: 'a', job: 'x' },
      { program: 'agent1', at: 'b', job: 'z' },
    ]);
  });

  it('leave a job alone that was hit, and what is of no job not', () => {
    points.arm('agent');
    expect(['a', 'b'].map((at) => isKilled('agent0', at, 'x'))).toEqual([true, false]);
    expect(['b', 'c'].map((at) => isKilled('agent0', at))).toEqual([true, true]);
  });
});
