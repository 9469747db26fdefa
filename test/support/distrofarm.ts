import { expect } from '@jest/globals';
import type { Output } from '../../apps/cli/src/distrofarm/io.js';
import { run } from '../../apps/cli/src/distrofarm/run.js';
import type { TestFarm } from './test-farm.js';

/** What a program that reads our pipe gets. */
export class Pipe implements Output {
  readonly #chunks: Buffer[] = [];
  write(data: string | Uint8Array): boolean {
    this.#chunks.push(Buffer.from(data));
    return true;
  }
  once(): void {
    // Never full.
  }
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
  toString(): string {
    return this.bytes.toString();
  }
}

export interface Running {
  readonly exit: Promise<number>;
  readonly stdout: Pipe;
  readonly stderr: Pipe;
}

/** The command, in this process, as the farm's admin. */
export function distrofarm(farm: TestFarm, ...args: readonly string[]): Running {
  const [stdout, stderr] = [new Pipe(), new Pipe()];
  const exit = run(args, {
    stdin: { async *[Symbol.asyncIterator]() {} },
    stdout,
    stderr,
    env: {
      DISTROFARM_URL: farm.url,
      DISTROFARM_TOKEN: farm.adminToken,
      HOME: farm.folder,
      // Else a submission takes the time of the one before, and says so.
      SOURCE_DATE_EPOCH: '1700000000',
    },
    cwd: farm.folder,
    now: () => Date.now(),
    signal: new AbortController().signal,
  });
  return { exit, stdout, stderr };
}

/** What it prints, when all is well. */
export async function said(farm: TestFarm, ...args: readonly string[]): Promise<string> {
  const { exit, stdout, stderr } = distrofarm(farm, ...args);
  expect([await exit, stderr.toString()]).toEqual([0, '']);
  return stdout.toString();
}
