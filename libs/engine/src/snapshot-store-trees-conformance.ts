import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';

/** Makes one of every kind of file an image can have, in the current folder. */
export const EVERY_KIND_OF_FILE = String.raw`
  mkdir -p empty deep/er/still wide 'blank name' closed
  echo plain > plain; : > nothing; head -c 70000 /dev/urandom > 'deep/er/binary'
  echo x > deep/er/still/leaf; for n in $(seq 40); do echo $n > wide/$n; done
  echo a > group1; ln group1 group2; ln group1 deep/group3; echo b > pair1; ln pair1 pair2
  ln -s plain link; ln -s 'not there' dangling; ln -s /etc absolute; ln -s deep folder-link
  mkfifo fifo
  truncate -s 1M sparse; printf x | dd of=sparse bs=1 seek=600000 conv=notrunc status=none
  echo n > 'blank name/a  b'; echo n > $'new\nline'; echo n > $'tab\there'; echo n > $'latin\xe9'; echo n > 'grün-日本'; echo n > $'\\n'
  echo n > -dash; echo n > '*'; echo n > '"quoted'"'"; echo n > .hidden; echo n > "$(printf 'l%.0s' $(seq 250))"
  long=$(printf 'p%.0s' $(seq 60)); mkdir -p $long/$long/$long; echo n > $long/$long/$long/leaf
  echo s > setuid; echo s > setgid; mkdir sticky shared; echo r > readonly
  if [ $EUID = 0 ]; then chown 1234:5678 setuid plain wide; chown -h 12:34 link; mknod char c 1 3; mknod block b 7 200; fi
  chmod 4755 setuid; chmod 2755 setgid; chmod 1777 sticky; chmod 2775 shared; chmod 0 readonly; chmod 700 closed
  touch -h -d '2001-02-03 04:05:06.789' link plain deep/er; touch -d '1999-12-31 23:59:59' setuid empty`;

/** Scripts that each change a tree made of the above, in a way that a store could overlook. They are run one after the other, or each alone. */
export const EVERY_KIND_OF_CHANGE: readonly string[] = [
  'echo more >> deep/er/still/leaf',
  'printf %s other > same; touch -d 2001-01-01 same; cp -p same keep; printf %s OTHER > same; touch -r keep same',
  'date=$(stat -c %y plain); printf \'PLAIN\\n\' > plain; touch -d "$date" plain',
  'dd if=/dev/zero of=deep/er/binary bs=1 seek=100 count=50 conv=notrunc status=none',
  'chmod 600 plain; chmod 755 closed; chmod u-s setuid',
  'touch -d 2011-11-11 plain deep empty link -h',
  '[ $EUID != 0 ] || { chown 77:88 plain deep; chown -h 99 link; }',
  'ln plain another-name; ln deep/er/binary wide/binary',
  'rm -f group1; echo new > group1; rm -f pair2; ln group2 pair2',
  'rm -f group2; ln -f plain deep/group3',
  'rm -rf wide; echo file > wide',
  'rm plain; mkdir plain; echo x > plain/x',
  'rm -f link fifo; mkdir fifo; echo x > link',
  'rm -rf empty; ln -s deep empty',
  'rm -rf deep/er; mkdir -p deep/er/still; echo again > deep/er/still/leaf',
  'mv deep depth; mv nothing deep',
  'ln -sfn elsewhere dangling; ln -sfn /etc/passwd absolute',
  '[ $EUID != 0 ] || { rm -f block char; mknod block b 7 201; mknod char p; }',
  'rm -rf "blank name" closed; find . -name "p*" -prune -exec rm -rf {} +',
  "rm -f $'new\\nline' $'latin\\xe9' -- -dash '*'; echo n > $'new\\nline2'; echo n > $'\\\\n'",
  'truncate -s 2M sparse; printf y | dd of=sparse bs=1 seek=1000 conv=notrunc status=none',
  'for n in $(seq 300); do mkdir -p many/$((n % 17)); echo $n > many/$((n % 17))/$n; done',
  'rm -rf many sticky shared',
  'find . -mindepth 1 -delete; echo alone > alone',
];

/** One line for each entry of a tree, with all that a store has to keep; its top is `.`. */
export async function describeTree(folder: string): Promise<readonly string[]> {
  const groups = new Map<string, string>();
  const top = Buffer.from(folder);
  const lines: string[] = [];
  for (const name of [Buffer.from('.'), ...(await entriesBelow(top))]) {
    const shown = JSON.stringify(name.toString('latin1'));
    const { inode, ...attributes } = await attributesOf(Buffer.concat([top, Buffer.from('/'), name]));
    const group = groups.get(inode) ?? shown;
    groups.set(inode, group);
    lines.push(
      [shown, ...Object.values(attributes), group === shown ? '' : `is ${group}`].join(' ').trimEnd(),
    );
  }
  return lines;
}

export interface Attributes {
  readonly inode: string;
  readonly type: string;
  readonly mode: string;
  readonly owner: string;
  readonly links: string;
  readonly modified: string;
  /** Digest of a file, target of a link, numbers of a device. */
  readonly content: string;
}

export async function attributesOf(path: string | Buffer): Promise<Attributes> {
  const { ino, mode, uid, gid, nlink, mtimeNs, rdev } = await lstat(path, { bigint: true });
  const type = TYPES.get(Number(mode) & 0o170000) ?? 'unknown';
  return {
    inode: String(ino),
    type,
    mode: (Number(mode) & 0o7777).toString(8),
    owner: `${uid}:${gid}`,
    // Of a folder some file systems count the entries, others not.
    links: type === 'directory' ? '' : String(nlink),
    modified: String(mtimeNs),
    content: await contentOf(path, type, rdev),
  };
}

const TYPES = new Map([
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'link'],
  [0o010000, 'fifo'],
  [0o020000, 'character-device'],
  [0o060000, 'block-device'],
]);

async function contentOf(path: string | Buffer, type: string, rdev: bigint): Promise<string> {
  if (type === 'file') {
    const bytes = await readFile(path);
    return `${bytes.length} ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`;
  }
  if (type === 'link') return (await readlink(path, { encoding: 'buffer' })).toString('latin1');
  return type.endsWith('device') ? String(rdev) : '';
}

/** Paths below a folder as bytes, sorted, a folder in front of what is in it. */
async function entriesBelow(folder: Buffer): Promise<readonly Buffer[]> {
  const entries = (await readdir(folder, { withFileTypes: true, encoding: 'buffer' })).toSorted((a, b) =>
    Buffer.compare(a.name, b.name),
  );
  const paths: Buffer[] = [];
  for (const entry of entries) {
    paths.push(entry.name);
    // zfs-fuse does not say what an entry is without being asked for its attributes; Node asks then.
    if (!entry.isDirectory()) continue;
    const below = await entriesBelow(Buffer.concat([folder, Buffer.from('/'), entry.name]));
    paths.push(...below.map((path) => Buffer.concat([entry.name, Buffer.from('/'), path])));
  }
  return paths;
}
