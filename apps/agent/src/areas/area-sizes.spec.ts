import { SnapshotStoreError } from '#libs/engine';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { pino } from 'pino';
import { AreaSizes } from './area-sizes.js';

const [ONE, TWO] = ['b-0000000001.default', 'b-0000000002.de'] as const;

describe('sizes of areas', () => {
  let taken: Map<string, number>;
  let asked: string[];
  let sizes: AreaSizes;
  beforeEach(() => {
    taken = new Map<string, number>([
      [ONE, 1],
      [TWO, 2],
    ]);
    asked = [];
    const usedBytes = (name: string): Promise<number> => {
      asked.push(name);
      const bytes = taken.get(name);
      return bytes === undefined
        ? Promise.reject(new SnapshotStoreError('BACKEND_DOWN', 'gone'))
        : Promise.resolve(bytes);
    };
    sizes = new AreaSizes({ usedBytes }, pino({ level: 'silent' }), 0);
  });
  const untold = async (count: number): Promise<unknown> => {
    while (asked.length < count) await new Promise((later) => setTimeout(later, 1));
    await new Promise(setImmediate);
    return sizes.untold().map(({ area, usedBytes }) => `${area} ${usedBytes}`);
  };

  it('are told until they were heard', async () => {
    sizes.changed(ONE);
    sizes.changed(TWO);
    sizes.changed(ONE);
    expect(await untold(2)).toEqual([`${ONE} 1`, `${TWO} 2`]);
    const first = sizes.untold();
    taken.set(ONE, 7);
    sizes.changed(ONE);
    await untold(3);
    // Only what was in the call.
    sizes.told(first);
    expect(await untold(3)).toEqual([`${ONE} 7`]);
    sizes.told(sizes.untold());
    expect(await untold(3)).toEqual([]);
  });

  it('are not told of what is gone, of what the store does not know, nor of what is no area of a farm', async () => {
    taken.delete(TWO);
    sizes.changed('somebody-elses');
    sizes.changed(TWO);
    sizes.changed(ONE);
    expect(await untold(2)).toEqual([`${ONE} 1`]);
    sizes.gone(ONE);
    expect(await untold(2)).toEqual([]);
    expect(asked).toEqual([TWO, ONE]);
  });

  it('are not told of what goes while it is measured, nor of what was gone before', async () => {
    let measured: (bytes: number) => void = () => undefined;
    const usedBytes = async (name: string): Promise<number> =>
      name === ONE ? await new Promise<number>((resolve) => (measured = resolve)) : 0;
    sizes = new AreaSizes({ usedBytes }, pino({ level: 'silent' }), 0);
    sizes.changed(ONE);
    sizes.changed(TWO);
    await new Promise((later) => setTimeout(later, 5));
    sizes.gone(ONE);
    measured(7);
    await new Promise((later) => setTimeout(later, 5));
    expect(sizes.untold()).toEqual([]);
  });
});
