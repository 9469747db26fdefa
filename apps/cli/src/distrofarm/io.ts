/** Where text goes; `process.stdout` is one. */
export interface Output {
  /** False: wait for `drain` before writing more. */
  write(data: string | Uint8Array): boolean;
  once(event: 'drain', listener: () => void): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export interface Input extends AsyncIterable<Uint8Array | string> {
  readonly isTTY?: boolean;
}

/** All that a command sees of the process it runs in. */
export interface Io {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Aborted when the user wants to stop (Ctrl-C). */
  readonly signal: AbortSignal;
}

/** Writes, and waits where the reader is slow. */
export async function writeTo(output: Output, data: string | Uint8Array): Promise<void> {
  if (!output.write(data)) await new Promise<void>((resolve) => output.once('drain', resolve));
}
