import { describe, expect, it } from '@jest/globals';
import { bootPictureOf, describeBootPicture, isPicture, MOST_PICTURE_BYTES } from './boot-picture.js';

const artifact = (name: string) => ({ name, bytes: 9000, available: true });

describe('pictures of boots', () => {
  it.each([
    ['boot-test/Live_X86.iso.bios.up.png', 'Live_X86.iso by BIOS: came up'],
    ['boot-test/Live_X86.usb.uefi.failed.png', 'Live_X86.usb by UEFI: did not come up'],
    ['a.b.iso.bios.failed.png', 'a.b.iso by BIOS: did not come up'],
  ])('%s is one: %s', (name, text) => {
    const picture = bootPictureOf(artifact(name));
    expect(picture === null ? null : describeBootPicture(picture)).toBe(text);
  });

  it.each([
    'logo.png',
    'Live.iso.bios.up.svg',
    'Live.iso.bios.up.png.html',
    'Live.iso.bios.png',
    'Live.iso.arm.up.png',
    'boot-test/.bios.up.png',
  ])('%s is none', (name) => {
    expect(bootPictureOf(artifact(name))).toBeNull();
  });

  it('are not those that are gone, or too large', () => {
    const name = 'Live.iso.bios.up.png';
    expect(bootPictureOf({ ...artifact(name), available: false })).toBeNull();
    expect(bootPictureOf({ ...artifact(name), bytes: MOST_PICTURE_BYTES + 1 })).toBeNull();
  });

  const HEAD = [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52];
  const png = (width: number, height: number): Uint8Array => {
    const file = Uint8Array.from([...HEAD, 0, 0, 0, 0, 0, 0, 0, 0]);
    const head = new DataView(file.buffer);
    head.setUint32(16, width);
    head.setUint32(20, height);
    return file;
  };
  const text = (of: string): Uint8Array => new TextEncoder().encode(of);

  it.each<[string, Uint8Array, boolean]>([
    ['a PNG of a screen', png(1024, 768), true],
    ['one that would be huge', png(50_000, 50_000), false],
    ['one without a width', png(0, 768), false],
    ['one that broke off', png(1024, 768).subarray(0, 20), false],
    ['a page', text('<!doctype html><script>alert(1)</script>'), false],
    ['a drawing', text('<svg xmlns="http://www.w3.org/2000/svg"/>'), false],
    ['nothing', new Uint8Array(), false],
  ])('are looked at before they are shown: %s', (_, file, shown) => {
    expect(isPicture(file)).toBe(shown);
  });
});
