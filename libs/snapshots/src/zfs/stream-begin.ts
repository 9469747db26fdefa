import { unpackList } from './packed-list.js';
import type { StreamPosition } from './resume-token.js';

/** What the first record of a ZFS stream says of it. Guids are decimal, as `zfs get` prints them. */
export interface StreamBegin {
  readonly toGuid: string;
  /** `null`: the stream is whole. */
  readonly fromGuid: string | null;
  /** It makes a new dataset as a clone of the snapshot `fromGuid`. */
  readonly isClone: boolean;
  /** It goes on where an earlier one broke off. */
  readonly isRest: boolean;
  /** Of the list that follows the record. */
  readonly listBytes: number;
}

/** Bytes of the record: `dmu_replay_record` of OpenZFS' include/sys/zfs_ioctl.h, which zfs-fuse has alike. */
export const BEGIN_BYTES = 312;

const MAGIC = 0x2f5bacbacn;
const TYPE_BEGIN = 0;
const TYPE_FILE_SYSTEM = 2;
const FLAG_CLONE = 1;
/** The two lowest bits of the version; the features are above them. */
const PLAIN_STREAM = 1n;
const FEATURE_RESUMING = 1n << (20n + 2n);
const FEATURE_RAW = 1n << (24n + 2n);
/** That of a rest has two numbers in it. */
const MOST_LIST_BYTES = 64 * 1024;

/**
 * Reads it as a plain stream of one snapshot of a file system, the only kind that is ever received here. `null` for any other: a stream of several
 * snapshots, or one with properties (which could set a mount point), has another type, and encrypted data would not be ours to check.
 */
export function readStreamBegin(record: Buffer): StreamBegin | null {
  if (record.length < BEGIN_BYTES) return null;
  const isLittle = record.readBigUInt64LE(8) === MAGIC;
  if (!isLittle && record.readBigUInt64BE(8) !== MAGIC) return null;
  const int32 = (at: number): number => (isLittle ? record.readUInt32LE(at) : record.readUInt32BE(at));
  const int64 = (at: number): bigint => (isLittle ? record.readBigUInt64LE(at) : record.readBigUInt64BE(at));
  const version = int64(16);
  const isPlain = (version & 3n) === PLAIN_STREAM && (version & FEATURE_RAW) === 0n;
  if (int32(0) !== TYPE_BEGIN || !isPlain || int32(32) !== TYPE_FILE_SYSTEM) return null;
  const listBytes = int32(4);
  if (listBytes > MOST_LIST_BYTES) return null;
  const fromGuid = int64(48);
  return {
    toGuid: String(int64(40)),
    fromGuid: fromGuid === 0n ? null : String(fromGuid),
    isClone: (int32(36) & FLAG_CLONE) !== 0,
    isRest: (version & FEATURE_RESUMING) !== 0n,
    listBytes,
  };
}

/** Where a rest says that it goes on, of the list behind its record; `null` where that says anything else. */
export function readRestBegin(list: Buffer): Omit<StreamPosition, 'bytes'> | null {
  const pairs = unpackList(list);
  const [object, offset] = [pairs?.get('resume_object'), pairs?.get('resume_offset')];
  return pairs?.size === 2 && typeof object === 'bigint' && typeof offset === 'bigint'
    ? { object, offset }
    : null;
}
