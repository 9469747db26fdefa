import type { Artifact } from '#libs/contracts';
import { retryDelays } from '#libs/event-stream';
import { formatBytes } from '#libs/watch';
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { constants, lstat, mkdir, open, realpath, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { cleaned } from './cleaned.js';
import { CliError } from './cli-error.js';
import { EXIT } from './exit-codes.js';
import { isPassing, type Farm } from './farm.js';
import { pauseFor } from './pause-for.js';
import type { Session } from './session.js';

export interface DownloadPlace {
  /** As the user named it. */
  readonly folder: string;
  /** A folder for each variant below it. */
  readonly byVariant: boolean;
}

/** In a row, without a byte between them. */
const MAX_FAILURES = 6;
const MAX_RETRY_MS = 2_000;
const PROGRESS_MS = 500;

/**
 * Fetches one file to `<folder>/[<variant>/]<name>`. It is written beside that as `….part`, from where a later call goes on, and gets its name when
 * its SHA-256 is right. A file that is there already and right is left alone; another one of that name is replaced.
 */
export async function downloadArtifact(
  session: Session,
  farm: Farm,
  artifact: Artifact,
  { folder, byVariant }: DownloadPlace,
): Promise<void> {
  const shown = cleaned(artifact);
  const target = await targetPath(
    resolve(session.io.cwd, folder),
    byVariant ? [artifact.variant, artifact.name] : [artifact.name],
  );
  const done = async (how: string): Promise<void> => {
    if (session.json) await session.printJson({ ...artifact, path: target });
    else
      await session.print(
        `${join(folder, byVariant ? shown.variant : '', shown.name)}  ${formatBytes(artifact.bytes)}  ${how}`,
      );
  };
  if ((await digestOf(target))?.sha256 === artifact.sha256) {
    await done('is there already');
    return;
  }
  const part = `${target}.part`;
  const fetched = new PartialDownload(session, farm, artifact, part);
  await fetched.complete();
  await rename(part, target);
  await done('sha256 ok');
}

/**
 * Where it goes, its folders made. Names come from scripts: each part is checked again here, and a link among the folders may not lead out.
 */
async function targetPath(folder: string, parts: readonly string[]): Promise<string> {
  const components = parts.flatMap((part) => part.split('/'));
  const safe = components.every(
    (part) => part !== '' && part !== '.' && part !== '..' && !/[\u0000-\u001f\u007f\\]/.test(part),
  );
  const target = join(folder, ...components);
  if (!safe || !target.startsWith(folder === sep ? sep : folder + sep)) throw unsafe(parts);
  await mkdir(dirname(target), { recursive: true });
  const [real, realFolder] = await Promise.all([realpath(dirname(target)), realpath(folder)]);
  if (real !== realFolder && !real.startsWith(realFolder === sep ? sep : realFolder + sep))
    throw unsafe(parts);
  return join(real, basename(target));
}

function unsafe(parts: readonly string[]): CliError {
  return new CliError(
    EXIT.server,
    `the artifact name ${JSON.stringify(parts.join('/'))} leads out of the folder; it was not fetched`,
  );
}

class PartialDownload {
  #file: FileHandle | null = null;
  #offset = 0;
  #hash: Hash = createHash('sha256');
  #toldAt = 0;

  constructor(
    private readonly session: Session,
    private readonly farm: Farm,
    private readonly artifact: Artifact,
    private readonly part: string,
  ) {}

  /** Throws when the bytes are wrong even from the start, or none come any more. */
  async complete(): Promise<void> {
    await this.#resume();
    const resumed = this.#offset > 0;
    try {
      await this.#fetch();
      if (this.#matches()) return;
      // What an interrupted call left may have been another file's.
      if (resumed) {
        await this.#restart();
        await this.#fetch();
        if (this.#matches()) return;
      }
    } finally {
      await this.#file?.sync().catch(() => undefined);
      await this.#file?.close();
      if (this.#toldAt > 0) this.session.io.stderr.write('\r\u001b[K');
    }
    await rm(this.part, { force: true });
    throw new CliError(
      EXIT.server,
      `"${this.artifact.name}" did not arrive as published: its SHA-256 is not ${this.artifact.sha256}`,
      'Try again; the farm may have a damaged disk.',
    );
  }

  async #resume(): Promise<void> {
    // Not through a link that somebody else may have put there.
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
    this.#file = await open(this.part, flags, 0o644);
    const found = await digestOf(this.part, this.#hash);
    this.#offset = found?.bytes ?? 0;
    if (this.#offset > this.artifact.bytes) await this.#restart();
  }

  async #restart(): Promise<void> {
    await this.#file?.truncate(0);
    this.#offset = 0;
    this.#hash = createHash('sha256');
  }

  #matches(): boolean {
    return this.#hash.copy().digest('hex') === this.artifact.sha256;
  }

  async #fetch(): Promise<void> {
    const { signal } = this.session.io;
    let failures = 0;
    let delays = retryDelays({ maxMs: MAX_RETRY_MS });
    while (this.#offset < this.artifact.bytes) {
      const before = this.#offset;
      let failure: Error = tooShort(this.artifact);
      try {
        await this.#fetchOnce();
      } catch (error) {
        signal.throwIfAborted();
        if (!isPassing(error)) throw error;
        failure = error as Error;
      }
      if (this.#offset > before) [failures, delays] = [0, retryDelays({ maxMs: MAX_RETRY_MS })];
      else failures += 1;
      if (failures >= MAX_FAILURES) throw failure;
      if (this.#offset < this.artifact.bytes) await pauseFor(delays.next().value, signal);
    }
  }

  async #fetchOnce(): Promise<void> {
    const { build, variant, name, bytes } = this.artifact;
    const path = ['builds', build, 'artifacts', variant, ...name.split('/')]
      .map(encodeURIComponent)
      .join('/');
    const { status, body } = await this.farm.download(`/${path}`, {
      offset: this.#offset,
      signal: this.session.io.signal,
    });
    // It may break before it is read below, and says so then.
    body.on('error', () => undefined);
    // A server that knows no ranges begins at the beginning.
    if (status !== 206) await this.#restart();
    for await (const chunk of body as AsyncIterable<Buffer>) {
      if (this.#offset + chunk.length > bytes) throw tooShort(this.artifact, 'more');
      await this.#file?.write(chunk, 0, chunk.length, this.#offset);
      this.#hash.update(chunk);
      this.#offset += chunk.length;
      this.#progress();
    }
  }

  #progress(): void {
    const { stderr, now } = this.session.io;
    if (stderr.isTTY !== true || now() - this.#toldAt < PROGRESS_MS) return;
    this.#toldAt = now();
    const share = Math.floor((this.#offset / this.artifact.bytes) * 100);
    const { name } = cleaned(this.artifact);
    stderr.write(
      `\r\u001b[K${name.slice(0, 40)}  ${formatBytes(this.#offset)} of ${formatBytes(this.artifact.bytes)}, ${share}%`,
    );
  }
}

function tooShort({ name, bytes }: Artifact, how = 'less'): CliError {
  return new CliError(EXIT.server, `the farm sent ${how} of "${name}" than the ${bytes} bytes it has`);
}

/** `null` when there is no such regular file. */
async function digestOf(
  path: string,
  hash = createHash('sha256'),
): Promise<{ readonly sha256: string; readonly bytes: number } | null> {
  const found = await lstat(path).catch(() => null);
  if (found?.isFile() !== true) return null;
  const stream = createReadStream(path);
  await pipeline(stream, async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) hash.update(chunk);
  });
  return { sha256: hash.copy().digest('hex'), bytes: stream.bytesRead };
}
