import { expect, it } from '@jest/globals';
import { around } from './around.js';

class Counter {
  #count = 0;
  add(by: number): number {
    return (this.#count += by);
  }
}

it('goes around a method of all objects of a class', () => {
  const counter = new Counter();
  around(Counter.prototype, 'add', (add, of, by) => (of === counter ? add(by * 10) + 1 : -1));
  expect([counter.add(2), counter.add(1), new Counter().add(1)]).toEqual([21, 31, -1]);
});
