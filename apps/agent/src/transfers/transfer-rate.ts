/** How fast bytes come in, over the last few seconds: what a person wants to know of a transfer that lasts minutes. */
export class TransferRate {
  readonly #samples: { readonly atMs: number; readonly bytes: number }[] = [];

  constructor(private readonly windowMs = 5_000) {}

  /** @param bytes in all so far; @param atMs only grows */
  note(bytes: number, atMs: number): void {
    this.#samples.push({ atMs, bytes });
    while ((this.#samples[1]?.atMs ?? Infinity) <= atMs - this.windowMs) this.#samples.shift();
  }

  /** 0 until something has come. */
  get bytesPerSecond(): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
    return Math.round(((last.bytes - first.bytes) * 1000) / (last.atMs - first.atMs));
  }
}
