export interface RetryDelays {
  /** Upper bound of the first delay. Default 500 ms. */
  readonly firstMs?: number;
  /** Upper bound of any delay. Default 60 s. */
  readonly maxMs?: number;
  /** In [0, 1). */
  readonly random?: () => number;
}

/**
 * How long to wait before each further try, in milliseconds, without end: between 0 and a bound that doubles up to `maxMs`. The full jitter
 * keeps a thousand agents from coming back at the same moment. Start a new one after a success.
 */
export function* retryDelays(options: RetryDelays = {}): Generator<number, never, void> {
  const { firstMs = 500, maxMs = 60_000, random = Math.random } = options;
  for (let bound = firstMs; ; bound = Math.min(bound * 2, maxMs)) {
    yield Math.floor(random() * Math.min(bound, maxMs));
  }
}
