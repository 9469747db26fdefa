import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { includesBelow } from './includes-below.js';

let top: string;
const reasonOf = (path: string, folder = join(top, 'images')): string => {
  const answer = includesBelow(folder)(path);
  return answer.ok ? `has ${answer.text}` : answer.reason;
};

beforeAll(async () => {
  top = await mkdtemp(join(tmpdir(), 'includes-below-'));
  await mkdir(join(top, 'images/shared'), { recursive: true });
  await mkdir(join(top, 'images-2'));
  await writeFile(join(top, 'outside.xml'), 'secret');
  await writeFile(join(top, 'images-2/a.xml'), 'secret');
  await writeFile(join(top, 'images/shared/a.xml'), 'part');
  await writeFile(join(top, 'images/large.xml'), '');
  await truncate(join(top, 'images/large.xml'), 1024 * 1024 + 1);
  await symlink('shared/a.xml', join(top, 'images/link.xml'));
  await symlink('../outside.xml', join(top, 'images/out.xml'));
  await symlink('../images-2', join(top, 'images/beside'));
  await symlink('circle.xml', join(top, 'images/circle.xml'));
  await symlink('images', join(top, 'linked'));
  execFileSync('mkfifo', [join(top, 'images/pipe')]);
});
afterAll(async () => {
  await rm(top, { recursive: true });
});

describe('includesBelow', () => {
  it.each([
    ['shared/a.xml', 'has part'],
    ['link.xml', 'has part'],
    ['none.xml', 'does not exist'],
    ['shared/a.xml/b', 'does not exist'],
    ['out.xml', "leads out of the manifest's folder"],
    ['beside/a.xml', "leads out of the manifest's folder"],
    ['../outside.xml', "leads out of the manifest's folder"],
    ['.', "leads out of the manifest's folder"],
    ['shared', 'is not a regular file'],
    ['pipe', 'is not a regular file'],
    ['circle.xml', 'is a link that leads in a circle'],
    ['large.xml', 'has more than 1048576 bytes'],
  ])('%s %s', (path, answer) => {
    expect(reasonOf(path)).toBe(answer);
  });

  it('takes a folder that is a link for the one it leads to', () => {
    expect(reasonOf('shared/a.xml', join(top, 'linked'))).toBe('has part');
    expect(reasonOf('out.xml', join(top, 'linked'))).toBe("leads out of the manifest's folder");
  });
});
