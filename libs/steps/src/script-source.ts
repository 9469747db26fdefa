import { readScriptHeader, SCRIPT_HEADER_BYTES, type ScriptHeader } from '#libs/manifest';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** What a script file says about itself. */
export interface ScriptFile {
  readonly path: string;
  /** SHA-256 (hex) of its bytes and of those of the files in its `# farm:includes:` lines. */
  readonly digest: string;
  /** Nodepaths from its `# farm:reads:` lines; `null` when it has none. */
  readonly reads: readonly string[] | null;
  /** Variables from its `# farm:environment:` lines. */
  readonly environment: readonly string[];
}

export type ScriptFileResult =
  { readonly ok: true; readonly script: ScriptFile } | { readonly ok: false; readonly reason: string };

/**
 * Looks at a script without running it. Its header may declare what it reads of the manifest (`# farm:reads: nodepath…`) and which
 * other files it consists of (`# farm:includes: file…`, relative to the script, no blanks in names), and which of the variables that not every script with
 * declared reads gets it looks at (`# farm:environment: NAME…`).
 */
export async function readScript(path: string): Promise<ScriptFileResult> {
  try {
    if (!(await stat(path)).isFile()) return { ok: false, reason: 'is not a regular file' };
    await access(path, constants.X_OK);
    const bytes = await readFile(path);
    const { reads, includes, environment } = scriptHeader(bytes);
    const digest = createHash('sha256').update(bytes);
    const folder = dirname(await realpath(path));
    for (const name of includes) {
      const included = await readFile(resolve(folder, name)).catch((error: unknown) => reasonFor(error));
      if (typeof included === 'string') return { ok: false, reason: `includes ${name}, which ${included}` };
      digest.update(`\0${name}\0`).update(included);
    }
    return { ok: true, script: { path, digest: digest.digest('hex'), reads, environment } };
  } catch (error) {
    return { ok: false, reason: reasonFor(error) };
  }
}

/** What the script says about itself. */
export function scriptHeader(script: Buffer): ScriptHeader {
  return readScriptHeader(script.subarray(0, SCRIPT_HEADER_BYTES).toString('latin1'));
}

function reasonFor(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'does not exist';
  return code === 'EACCES' ? 'is not executable' : message;
}
