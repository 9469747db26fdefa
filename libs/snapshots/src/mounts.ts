import { readdir, readFile, readlink, realpath } from 'node:fs/promises';

export interface Mount {
  readonly id: string;
  /** The mount that it is on. */
  readonly parentId: string;
  /** Device number of the file system: the same wherever and however often it is mounted. */
  readonly device: string;
  readonly path: string;
  /** Such as `shared:12` and `master:12`: what happens on a shared mount also happens on those with its number. */
  readonly groups: readonly string[];
  readonly type: string;
  readonly source: string;
}

/** Mounts in the order they were made; proc(5), "/proc/pid/mountinfo". */
export function parseMountinfo(text: string): readonly Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before = '', after] = line.split(' - ');
    const [type = '', source = ''] = (after ?? '').split(' ');
    const [id = '', parentId = '', device = '', , path, , ...groups] = before.split(' ');
    return path === undefined || after === undefined
      ? []
      : [{ id, parentId, device, path: unescapeOctal(path), groups, type, source: unescapeOctal(source) }];
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

/**
 * Processes that keep what is mounted at a folder mounted for themselves, in a mount namespace that does not hear of it when it is unmounted here.
 * Unmounting then succeeds, and what was unmounted stays busy until they are gone. As pids.
 */
export async function mountHolders(folder: string): Promise<readonly string[]> {
  const real = await realpath(folder).catch(() => folder);
  const ours = await mountsOf('self');
  const mount = ours.findLast(({ path }) => path === real);
  if (mount === undefined) return [];
  const isHolding = new Map<string, boolean>([[await namespaceOf('self'), false]]);
  const holders: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const namespace = await namespaceOf(pid);
    const holds = isHolding.get(namespace) ?? isHeldIn(await mountsOf(pid), mount, ours);
    if (namespace !== '') isHolding.set(namespace, holds);
    if (holds) holders.push(pid);
  }
  return holders;
}

/**
 * An unmount reaches the mounts that hear of the one it happens on: the parent. mount_namespaces(7), "Shared subtrees". A mount with
 * the id of one of ours is ours: the namespace of a process may be hidden from us (a hardened process 1), its mounts are not.
 */
export function isHeldIn(theirs: readonly Mount[], mount: Mount, ours: readonly Mount[]): boolean {
  const tells = parentOf(mount, ours)?.groups.find((group) => group.startsWith('shared:'));
  const heard = tells === undefined ? [] : [tells, tells.replace('shared:', 'master:')];
  const ourIds = new Set(ours.map(({ id }) => id));
  return theirs
    .filter(({ device, id }) => device === mount.device && !ourIds.has(id))
    .some((each) => parentOf(each, theirs)?.groups.some((group) => heard.includes(group)) !== true);
}

function parentOf({ parentId }: Mount, mounts: readonly Mount[]): Mount | undefined {
  return mounts.find(({ id }) => id === parentId);
}

/** Empty for a process that is gone, or whose namespace is not ours to look at. */
async function namespaceOf(pid: string): Promise<string> {
  return await readlink(`/proc/${pid}/ns/mnt`).catch(() => '');
}

async function mountsOf(pid: string): Promise<readonly Mount[]> {
  return parseMountinfo(await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => ''));
}

/** Blanks, tabs, newlines and backslashes are written as `\040` and so on. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
