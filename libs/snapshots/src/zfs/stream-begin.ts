/** What the first record of a ZFS stream says of it. Guids are decimal, as `zfs get` prints them. */
export interface StreamBegin {
  readonly toGuid: string;
  /** `null`: the stream is whole. */
  readonly fromGuid: string | null;
  /** It makes a new dataset as a clone of the snapshot `fromGuid`. */
  readonly isClone: boolean;
}

/** Bytes of the record: `dmu_replay_record` of OpenZFS' include/sys/zfs_ioctl.h, which zfs-fuse has alike. */
export const BEGIN_BYTES = 312;

const MAGIC = 0x2f5bacbacn;
const TYPE_BEGIN = 0;
const TYPE_FILE_SYSTEM = 2;
const FLAG_CLONE = 1;
/** The two lowest bits of the version; the features are above them. */
const PLAIN_STREAM = 1n;
const FEATURE_RAW = 1n << (24n + 2n);

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
  const fromGuid = int64(48);
  return {
    toGuid: String(int64(40)),
    fromGuid: fromGuid === 0n ? null : String(fromGuid),
    isClone: (int32(36) & FLAG_CLONE) !== 0,
  };
}
