/** CRC-32C as btrfs uses it in its streams: from zero, and not inverted at the end. crypto/crc32c.c of btrfs-progs. */
export function crc32c(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return crc >>> 0;
}

const REVERSED_POLYNOMIAL = 0x82f63b78;
const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) * REVERSED_POLYNOMIAL);
  return crc;
});
