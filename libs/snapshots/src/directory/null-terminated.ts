/** Paths, each with a NUL behind it: the one byte that none of them can have. */
export function nullTerminated(paths: readonly Buffer[]): Buffer {
  return Buffer.concat(paths.flatMap((path) => [path, Buffer.from([0])]));
}
