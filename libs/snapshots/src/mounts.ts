import { readFile, realpath } from 'node:fs/promises';

export interface Mount {
  readonly path: string;
  readonly type: string;
  readonly source: string;
}

/** Mounts in the order they were made; proc(5), "/proc/pid/mountinfo". */
export function parseMountinfo(text: string): readonly Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before = '', after] = line.split(' - ');
    const [type = '', source = ''] = (after ?? '').split(' ');
    const path = before.split(' ')[4];
    return path === undefined || after === undefined
      ? []
      : [{ path: unescapeOctal(path), type, source: unescapeOctal(source) }];
  });
}

/** Paths mounted below a folder (not at it), the last made first: the order to unmount in. */
export async function mountsBelow(folder: string): Promise<readonly string[]> {
  const real = await realpath(folder).catch(() => folder);
  const mounts = parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8'));
  return mounts
    .map(({ path }) => path)
    .filter((path) => path.startsWith(`${real}/`))
    .toReversed();
}

/** Blanks, tabs, newlines and backslashes are written as `\040` and so on. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
