import { execa } from 'execa';
import { readFile, realpath, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SYSTEM_PATH } from './step-environment.js';

/** Where `--version` is not how to ask. */
const VERSION_FLAGS: Readonly<Record<string, string>> = {
  mksquashfs: '-version',
  unsquashfs: '-version',
  mke2fs: '-V',
  debugfs: '-V',
};
/** A tool that waits for input or a network must not hold up the start. */
const VERSION_TIMEOUT_MS = 3_000;

/** Version by what the tool's file is, so that it is asked only once. */
type Remembered = Readonly<Record<string, string>>;

/**
 * Those of these tools that this host has, with the first line of what each says of its version; what is there and says nothing is `present`. Asking many takes seconds of processor time,
 * so the answers are kept in the file `memory` for as long as the tools' files stay what they are; `null`: they are not kept.
 */
export async function toolVersions(
  tools: readonly string[],
  memory: string | null,
): Promise<Readonly<Record<string, string>>> {
  const remembered = memory === null ? {} : await readMemory(memory);
  const next: Record<string, string> = {};
  const asked = [...new Set(tools)].map(async (name) => {
    const file = await identityOf(name);
    if (file === null) return [];
    const version = remembered[file] ?? (await versionOf(name));
    next[file] = version;
    return [[name, version] as const];
  });
  const versions = Object.fromEntries((await Promise.all(asked)).flat());
  if (memory !== null) await keepMemory(memory, next);
  return versions;
}

/** `null` when no such program is where steps look for programs. */
async function identityOf(name: string): Promise<string | null> {
  for (const folder of SYSTEM_PATH.split(':')) {
    try {
      const path = await realpath(join(folder, name));
      const { size, mtimeMs, mode } = await stat(path);
      if ((mode & 0o111) !== 0) return `${name} ${path} ${size} ${mtimeMs}`;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

async function versionOf(tool: string): Promise<string> {
  const { all, exitCode } = await execa(tool, [VERSION_FLAGS[tool] ?? '--version'], {
    reject: false,
    all: true,
    stdin: 'ignore',
    timeout: VERSION_TIMEOUT_MS,
    maxBuffer: 64 * 1024,
    extendEnv: false,
    env: { PATH: SYSTEM_PATH, LC_ALL: 'C.UTF-8' },
  });
  const line = all.split('\n').find((each) => each.trim() !== '') ?? '';
  const shown = line.replace(/\p{Cc}+/gu, ' ').trim();
  return (exitCode === 0 || tool in VERSION_FLAGS) && shown !== '' ? shown.slice(0, 200) : 'present';
}

/** Without a readable memory every tool is asked again. */
async function readMemory(path: string): Promise<Remembered> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    const isMemory = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isMemory && Object.values(value).every((each) => typeof each === 'string')
      ? (value as Remembered)
      : {};
  } catch {
    return {};
  }
}

async function keepMemory(path: string, memory: Remembered): Promise<void> {
  try {
    await writeFile(`${path}.new`, JSON.stringify(memory), { mode: 0o600 });
    await rename(`${path}.new`, path);
  } catch {
    // On a full disk the next start asks again.
  }
}
