import { describe, expect, it } from '@jest/globals';
import { judgeFingerprints, type AskedVariant, type FingerprintVerdict } from './judge-fingerprints.js';

interface Named extends AskedVariant {
  readonly name: string;
}

/** `de: open known`; `de?` is optional; `no-route` is why one failed. */
function variants(text: string): readonly Named[] {
  return text.split(', ').map((one) => {
    const [name = '', asks = ''] = one.split(': ');
    return {
      name: name.replace('?', ''),
      isOptional: name.endsWith('?'),
      asks: asks
        .split(' ')
        .map((kind) => (kind === 'open' || kind === 'known' ? { kind } : { kind: 'failed', reason: kind })),
    };
  });
}

function words(verdict: FingerprintVerdict<Named>): string {
  if (verdict.kind === 'open') return 'open';
  if (verdict.kind === 'build-failed') return `failed: ${verdict.reason}`;
  const failed = verdict.failed.map(({ variant, reason }) => ` but ${variant.name} (${reason})`);
  return `known: ${verdict.known.map(({ name }) => name).join(' ')}${failed.join('')}`;
}

describe('judgeFingerprints', () => {
  it.each([
    ['en: open', 'open'],
    ['en: known', 'known: en'],
    ['en: known open', 'open'],
    ['en: known, de: open', 'open'],
    ['en: known, de: known known', 'known: en de'],
    // Others need not be waited for.
    ['en: open, de: no-route', 'failed: no-route'],
    ['en: known, de: known no-route', 'failed: no-route'],
    ['en: open, de?: no-route', 'open'],
    ['en: known, de?: no-route', 'known: en but de (no-route)'],
    ['en: known, de?: open no-route', 'known: en but de (no-route)'],
    ['en: known, de?: open', 'open'],
    ['en?: too-long, de?: no-route', 'known:  but en (too-long) but de (no-route)'],
  ])('%s', (asked, expected) => {
    expect(words(judgeFingerprints(variants(asked)))).toBe(expected);
  });
});
