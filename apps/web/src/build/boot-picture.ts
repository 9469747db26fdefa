import type { Artifact } from '#libs/contracts';

/** What the name of a picture of a boot says of it; `finalizers/debian/boot-test` names them. */
export interface BootPicture {
  /** File name of the medium. */
  readonly medium: string;
  readonly firmware: 'bios' | 'uefi';
  readonly outcome: 'up' | 'failed';
}

const NAME = /^(?:.*\/)?([^/]+)\.(bios|uefi)\.(up|failed)\.png$/;
/** A screen full of noise has less. */
export const MOST_PICTURE_BYTES = 4 * 1024 * 1024;
/** What is small as a file may be huge as a picture. */
const MOST_PIXELS_A_SIDE = 4096;
const SIGNATURE = [
  0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52,
] as const;

/** `null`: it is none, or cannot be had. */
export function bootPictureOf({
  name,
  bytes,
  available,
}: Pick<Artifact, 'name' | 'bytes' | 'available'>): BootPicture | null {
  const match = NAME.exec(name);
  if (match === null || !available || bytes > MOST_PICTURE_BYTES) return null;
  const [, medium = '', firmware, outcome] = match;
  return {
    medium,
    firmware: firmware as BootPicture['firmware'],
    outcome: outcome as BootPicture['outcome'],
  };
}

export function describeBootPicture({ medium, firmware, outcome }: BootPicture): string {
  return `${medium} by ${firmware.toUpperCase()}: ${outcome === 'up' ? 'came up' : 'did not come up'}`;
}

/** Whether it begins as a PNG of a sensible size does, whatever its name says (PNG specification, sections 5.2 and 11.2.2). */
export function isPicture(file: Uint8Array): boolean {
  if (file.length < SIGNATURE.length + 8 || SIGNATURE.some((byte, at) => file[at] !== byte)) return false;
  const head = new DataView(file.buffer, file.byteOffset + SIGNATURE.length);
  const sides = [head.getUint32(0), head.getUint32(4)];
  return sides.every((side) => side > 0 && side <= MOST_PIXELS_A_SIDE);
}
