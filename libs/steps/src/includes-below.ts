import type { IncludedText, ReadIncluded } from '#libs/manifest';
import { closeSync, constants, fstatSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { join, sep } from 'node:path';

/** More than one manifest may have in all is not read at all. */
const LARGEST_BYTES = 1024 * 1024;

/** What manifests in this folder include: regular files in it or below it, also when links lead there. Gives the reason for all else; never throws. */
export function includesBelow(folder: string): ReadIncluded {
  return (path) => {
    try {
      const top = realpathSync(folder);
      const file = realpathSync(join(top, path));
      if (!file.startsWith(top === sep ? sep : top + sep))
        return { ok: false, reason: "leads out of the manifest's folder" };
      return readRegular(file);
    } catch (error) {
      return { ok: false, reason: reasonFor(error) };
    }
  };
}

/** Opened before it is looked at, so that it is the same file; and without waiting, as a pipe would have us do. */
function readRegular(file: string): IncludedText {
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const found = fstatSync(descriptor);
    if (!found.isFile()) return { ok: false, reason: 'is not a regular file' };
    if (found.size > LARGEST_BYTES) return { ok: false, reason: `has more than ${LARGEST_BYTES} bytes` };
    return { ok: true, text: readFileSync(descriptor, 'utf8') };
  } finally {
    closeSync(descriptor);
  }
}

function reasonFor(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist';
  if (code === 'ELOOP') return 'is a link that leads in a circle';
  return code === 'EACCES' ? 'may not be read' : message;
}
