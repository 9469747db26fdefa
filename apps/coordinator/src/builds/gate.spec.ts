import { describe, expect, it } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import { Gate } from './gate.js';

describe('Gate', () => {
  it('lets so many in at a time, in the order in which they came', async () => {
    const gate = new Gate(2);
    const begun: number[] = [];
    let inside = 0;
    let most = 0;
    const work = async (n: number): Promise<number> => {
      begun.push(n);
      most = Math.max(most, (inside += 1));
      await setImmediate();
      inside -= 1;
      return n;
    };
    const results = await Promise.all([1, 2, 3, 4, 5].map((n) => gate.admit(() => work(n))));
    expect(results).toEqual([1, 2, 3, 4, 5]);
    expect(begun).toEqual([1, 2, 3, 4, 5]);
    expect(most).toBe(2);
  });

  it('goes on after one that failed', async () => {
    const gate = new Gate(1);
    const failing = gate.admit(() => Promise.reject(new Error('no room')));
    const next = gate.admit(() => Promise.resolve('done'));
    await expect(failing).rejects.toThrow('no room');
    await expect(next).resolves.toBe('done');
  });
});
