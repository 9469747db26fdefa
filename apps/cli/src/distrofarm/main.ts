import { EXIT } from './exit-codes.js';
import { run } from './run.js';

/** `distrofarm`: the command line of the farm. Resolves to the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  const { stdin, stdout, stderr, env } = process;
  quietWhenNobodyReads(stdout);
  quietWhenNobodyReads(stderr);
  const exit = await run(args, {
    stdin,
    stdout,
    stderr,
    env,
    cwd: process.cwd(),
    now: () => Date.now(),
    signal: interruptible(),
  });
  // What still waits for input would keep the program from ending.
  stdin.destroy();
  return exit;
}

/** `distrofarm list | head`: whoever closed the pipe has seen enough. */
function quietWhenNobodyReads(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(EXIT.ok);
  });
}

/** Aborted by the first SIGINT or SIGTERM; a second one ends the program at once. */
function interruptible(): AbortSignal {
  const abort = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (abort.signal.aborted) process.exit(EXIT.interrupted);
      abort.abort(new Error(name));
    });
  }
  return abort.signal;
}
