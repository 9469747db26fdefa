import { describe, expect, it } from '@jest/globals';
import type { BuildId } from '#libs/contracts';
import { pinOf } from './pin-of.js';

const build = 'b-0000000001' as BuildId;
const pin = (variant: string | null, of = build) => ({
  build: of,
  variant,
  user: 'ada',
  why: '',
  pinnedAt: 1,
});

describe('what keeps a variant', () => {
  it.each([
    ['nothing', [pin(null, 'b-0000000002' as BuildId), pin('fr')], undefined],
    ['the pin of its build', [pin('fr'), pin(null)], null],
    ['its own, before that of its build', [pin(null), pin('de')], 'de'],
  ])('is %s', (_, pins, variant) => {
    expect(pinOf(pins, { build, variant: 'de' })?.variant).toBe(variant);
  });
});
