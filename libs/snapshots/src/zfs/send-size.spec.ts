import { describe, expect, it } from '@jest/globals';
import { parseSendSize } from './send-size.js';

describe('parseSendSize', () => {
  it.each([
    ['full\ttank/w@.step_a\t1048576\nsize\t1048576\n', 1_048_576],
    ['incremental\t.step_a\ttank/w@.step_b\t624\nsize\t624\n', 624],
    ['', null],
    ['would send tank/w@.step_a\n', null],
  ])('reads %j', (output, size) => expect(parseSendSize(output)).toBe(size));
});
