import { splitNodepaths } from '#libs/manifest';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';

/** What a script file says about itself. */
export interface ScriptFile {
  readonly path: string;
  /** SHA-256 of its bytes, hex. */
  readonly digest: string;
  /** Nodepaths from its `# farm:reads:` lines; `null` when it has none. */
  readonly reads: readonly string[] | null;
}

export type ScriptFileResult =
  { readonly ok: true; readonly script: ScriptFile } | { readonly ok: false; readonly reason: string };

/** A `# farm:reads:` line counts only among a script's first lines. */
const HEADER_BYTES = 8192;

/** Looks at a script without running it. */
export async function readScript(path: string): Promise<ScriptFileResult> {
  try {
    if (!(await stat(path)).isFile()) return { ok: false, reason: 'is not a regular file' };
    await access(path, constants.X_OK);
    const bytes = await readFile(path);
    const digest = createHash('sha256').update(bytes).digest('hex');
    return {
      ok: true,
      script: { path, digest, reads: declaredReads(bytes.subarray(0, HEADER_BYTES).toString('latin1')) },
    };
  } catch (error) {
    return { ok: false, reason: reasonFor(error as NodeJS.ErrnoException) };
  }
}

/** A line whose quotes do not close grants nothing: the step's queries are then refused, and say so. */
function declaredReads(header: string): readonly string[] | null {
  const lines = [...header.matchAll(/^#\s*farm:reads:(.*)$/gm)].map((match) => match[1] ?? '');
  return lines.length === 0 ? null : lines.flatMap((line) => splitNodepaths(line) ?? []);
}

function reasonFor({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'does not exist';
  return code === 'EACCES' ? 'is not executable' : message;
}
