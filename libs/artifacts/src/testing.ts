import { execa } from 'execa';

/** The system's own Python: it starts in 20 ms. */
const env = { PATH: '/usr/bin:/bin' };

/** Reads what Node cannot: extended attributes, and all names as bytes. One line of JSON per entry, sorted. */
const DESCRIBE = `
import hashlib, json, os, stat, sys
def hexed(path):
    try: return {k: os.getxattr(path, k, follow_symlinks=False).hex() for k in sorted(os.listxattr(path, follow_symlinks=False))}
    except OSError: return {}
first = {}
def show(path, name):
    s = os.lstat(path)
    if stat.S_ISSOCK(s.st_mode): return
    same = first.setdefault((s.st_dev, s.st_ino), name.hex()) if not stat.S_ISDIR(s.st_mode) else None
    link = os.readlink(path).hex() if stat.S_ISLNK(s.st_mode) else None
    content = hashlib.sha256(open(path, 'rb').read()).hexdigest() if stat.S_ISREG(s.st_mode) else None
    print(json.dumps([name.hex(), s.st_mode, s.st_uid, s.st_gid, s.st_mtime_ns, s.st_rdev, same, link, content, hexed(path)]))
    if stat.S_ISDIR(s.st_mode):
        for child in sorted(os.listdir(path)): show(path + b'/' + child, name + b'/' + child)
show(os.fsencode(sys.argv[1]), b'.')
`;

/** All of a tree that a packed tree must give back, one line per entry: times to the nanosecond, hard links, extended attributes. */
export async function describeTree(path: string): Promise<readonly string[]> {
  const { stdout } = await execa('python3', ['-c', DESCRIBE, path], { env });
  return stdout.split('\n');
}

/** Runs Python in a folder: it makes what Node cannot, such as names that are not UTF-8, devices and attributes. */
export async function python(folder: string, program: string, input = ''): Promise<void> {
  await execa('python3', ['-c', program], { cwd: folder, input, env });
}
