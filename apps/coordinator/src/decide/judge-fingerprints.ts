/** A variant's fingerprints, as far as they are known. */
export interface AskedVariant {
  readonly isOptional: boolean;
  /** Of its steps: still asked for, known, or why they are not to be had. */
  readonly asks: readonly (
    { readonly kind: 'open' } | { readonly kind: 'known' } | { readonly kind: 'failed'; readonly reason: string }
  )[];
}

export type FingerprintVerdict<V> =
  | { readonly kind: 'open' }
  /** No step of the build is to run. */
  | { readonly kind: 'build-failed'; readonly reason: string }
  /** The keys of these can be worked out; those others, which are optional, fail. */
  | {
      readonly kind: 'settled';
      readonly known: readonly V[];
      readonly failed: readonly { readonly variant: V; readonly reason: string }[];
    };

/**
 * What becomes of a build whose fingerprints are asked for. It fails before its first step when one of a variant that it cannot succeed without is not to be had; until all are known, none of its jobs
 * begins, since nobody knows yet what it could reuse.
 */
export function judgeFingerprints<V extends AskedVariant>(variants: readonly V[]): FingerprintVerdict<V> {
  const failed = variants.flatMap((variant) => {
    const failure = variant.asks.find((ask) => ask.kind === 'failed');
    return failure === undefined ? [] : [{ variant, reason: failure.reason }];
  });
  const binding = failed.find(({ variant }) => !variant.isOptional);
  if (binding !== undefined) return { kind: 'build-failed', reason: binding.reason };
  const failing = new Set(failed.map(({ variant }) => variant));
  const others = variants.filter((variant) => !failing.has(variant));
  if (others.some(({ asks }) => asks.some(({ kind }) => kind === 'open'))) return { kind: 'open' };
  return { kind: 'settled', known: others, failed };
}
