import { SnapshotStoreError } from '#libs/engine';
import { describe, expect, it } from '@jest/globals';
import { codeOf, retrying } from './zfs-command.js';

// As zfs-fuse 0.7.0 and OpenZFS 2.1.11 print them. test/platform/zfs-snapshot-store.spec.ts has the ones that can be provoked.
describe('codeOf', () => {
  it.each([
    [
      'connect: No such file or directory\nPlease make sure that the zfs-fuse daemon is running.\ninternal error: failed to initialize ZFS library',
      'BACKEND_DOWN',
    ],
    ['connect: Connection refused', 'BACKEND_DOWN'],
    ['The ZFS modules are not loaded.\ninternal error: failed to initialize', 'BACKEND_DOWN'],
    ["cannot rollback 't/a@b': I/O error", 'BACKEND_DOWN'],
    ["cannot create 't/a': pool I/O is currently suspended", 'BACKEND_DOWN'],
    ["cannot open 't/a': dataset does not exist", 'NOT_FOUND'],
    ["cannot open 't/a': no such pool 't'", 'NOT_FOUND'],
    ['could not find any snapshots to destroy; check snapshot names.', 'NOT_FOUND'],
    ["cannot create snapshot 't/a@b': dataset already exists", 'EXISTS'],
    ["cannot unmount '/t/a': pool or dataset is busy", 'BUSY'],
    ['umount: /t/a: target is busy.\ncannot unmount', 'BUSY'],
    ["cannot destroy 't/a': dataset is busy", 'BUSY'],
    ["cannot create 't/a': out of space", 'NO_SPACE'],
    ["cannot create snapshot 't/a@b': No space left on device", 'NO_SPACE'],
    ["cannot create 't/a': Disk quota exceeded", 'NO_SPACE'],
    ["cannot mount '/t/a': failed to create mountpoint", 'NO_SPACE'],
    ["cannot mount '/t/a': failed to create mountpoint: Read-only file system", 'FAILED'],
    ["cannot set property for 't/r': size is greater than available space", 'NO_SPACE'],
    [
      "cannot rollback to 't/a@b': more recent snapshots exist\nuse '-r' to force deletion of the following snapshots:\nt/a@c",
      'FOREIGN_SNAPSHOTS',
    ],
    ["cannot rollback to 't/a@b': more recent snapshots or bookmarks exist", 'FOREIGN_SNAPSHOTS'],
    ["cannot destroy 't/a@b': snapshot has dependent clones\nuse '-R' to destroy", 'FOREIGN_SNAPSHOTS'],
    ["cannot destroy 't/a@b': snapshot is cloned", 'FOREIGN_SNAPSHOTS'],
    ["cannot destroy 't/a': filesystem has children", 'FOREIGN_SNAPSHOTS'],
    ["cannot create 't/a': permission denied", 'FAILED'],
    ['', 'FAILED'],
  ] as const)('reads %j as %s', (stderr, code) => expect(codeOf(stderr, 1)).toBe(code));

  it('takes a client that was killed for a backend that is gone', () => {
    expect([codeOf('', null), codeOf('', 134)]).toEqual(['BACKEND_DOWN', 'BACKEND_DOWN']);
  });
});

describe('retrying', () => {
  const failing = (errors: readonly Error[]): (() => Promise<string>) => {
    const left = [...errors];
    return () => {
      const next = left.shift();
      return next === undefined ? Promise.resolve('done') : Promise.reject(next);
    };
  };
  const busy = new SnapshotStoreError('BUSY', 'dataset is busy');

  it('asks again while the answer is one of the codes', async () => {
    expect(await retrying(['BUSY'], failing([busy, busy]))).toBe('done');
  });

  it.each([
    ['another code', new SnapshotStoreError('NO_SPACE', 'out of space')],
    ['a mistake of ours', new TypeError('x')],
    ['a daemon that is gone', new SnapshotStoreError('BACKEND_DOWN', 'connect: Connection refused')],
  ])('gives up at once on %s', async (_, error) => {
    await expect(retrying(['BUSY', 'BACKEND_DOWN'], failing([busy, error]))).rejects.toBe(error);
  });
});
