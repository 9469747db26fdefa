import { beforeEach, describe, expect, it } from '@jest/globals';
import { KeptPlan } from './kept-plan.js';

/** Plans that the test ends, in what order it likes; each is named by how many began before it. */
let begun: { readonly end: () => void; readonly fail: () => void }[];
let now: number;
let kept: KeptPlan<string>;
beforeEach(() => {
  begun = [];
  now = 0;
  kept = new KeptPlan({
    make: () =>
      new Promise((resolve, reject) => {
        const name = `plan ${begun.length}`;
        begun.push({ end: () => resolve(name), fail: () => reject(new Error(name)) });
      }),
    freshMs: 5_000,
    now: () => now,
  });
});

/** Until what can go on has. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

async function made(): Promise<string> {
  const plan = kept.make();
  begun.at(-1)!.end();
  return await plan;
}

describe('a plan that is kept', () => {
  it('is given again while it is fresh and nobody has said that anything changed', async () => {
    await made();
    now = 4_999;
    expect(await kept.get()).toBe('plan 0');
    expect(begun).toHaveLength(1);
  });

  it.each([
    ['has become old', () => (now = 5_000)],
    ['something has changed', () => kept.noteChange()],
  ])('is made anew when %s', async (_, change) => {
    await made();
    change();
    const asked = [kept.get(), kept.get()];
    while (begun.length < 2) await new Promise((resolve) => setImmediate(resolve));
    begun[1]!.end();
    expect(await Promise.all(asked)).toEqual(['plan 1', 'plan 1']);
    expect(begun).toHaveLength(2);
  });

  it('is made anew each time that something has changed, without a rest before the first', async () => {
    for (const expected of ['plan 0', 'plan 1', 'plan 2']) {
      kept.noteChange();
      const asked = kept.get();
      while (!begun.some((_, at) => `plan ${at}` === expected))
        await new Promise((resolve) => setImmediate(resolve));
      begun.at(-1)!.end();
      expect(await asked).toBe(expected);
    }
  });

  it('is not the one that ended last, but the one that began last', async () => {
    const both = [kept.make(), kept.make()];
    begun[1]!.end();
    await settled();
    begun[0]!.end();
    expect(await Promise.all(both)).toEqual(['plan 0', 'plan 1']);
    expect(await kept.get()).toBe('plan 1');
  });

  it('is not the one before it while one is being made that knows more', async () => {
    await made();
    kept.noteChange();
    const passing = kept.make();
    const asked = kept.get();
    begun[1]!.end();
    expect(await Promise.all([passing, asked])).toEqual(['plan 1', 'plan 1']);
  });

  it('is made anew when the last one could not be made', async () => {
    await made();
    const failed = kept.make();
    begun[1]!.fail();
    await expect(failed).rejects.toThrow('plan 1');
    const asked = kept.get();
    while (begun.length < 3) await new Promise((resolve) => setImmediate(resolve));
    begun[2]!.end();
    expect(await asked).toBe('plan 2');
  });
});
