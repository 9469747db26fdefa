// Needs qemu-system-x86, ovmf, and the media that the test command builds: $DC_TEST_MEDIA/{live,minimal}/*.{iso,usb}.
import { bootImage, type BootOptions } from '#libs/boot';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { IS_DEEP } from '../support/depth.js';

type Combination = Pick<BootOptions, 'medium' | 'firmware' | 'cpu'> & {
  readonly example: 'live' | 'minimal';
  readonly file: 'iso' | 'usb';
};

/** A boot takes 10 to 50 s in software emulation, more beside other tests; much more means that it hangs. */
const TIME_LIMIT_MS = 300_000;

/** Each way in which firmware finds a medium, and both processors on each firmware that knows both. */
const SOME: readonly Combination[] = [
  { example: 'live', file: 'iso', medium: 'cdrom', firmware: 'bios', cpu: 'x86-32' },
  { example: 'live', file: 'iso', medium: 'cdrom', firmware: 'uefi', cpu: 'x86-64' },
  { example: 'live', file: 'iso', medium: 'usb', firmware: 'bios', cpu: 'x86-64' },
  { example: 'live', file: 'iso', medium: 'usb', firmware: 'uefi', cpu: 'x86-64' },
  { example: 'live', file: 'usb', medium: 'usb', firmware: 'bios', cpu: 'x86-32' },
  { example: 'live', file: 'usb', medium: 'usb', firmware: 'uefi', cpu: 'x86-64' },
  { example: 'minimal', file: 'iso', medium: 'cdrom', firmware: 'bios', cpu: 'x86-64' },
  { example: 'minimal', file: 'usb', medium: 'usb', firmware: 'bios', cpu: 'x86-64' },
];

const OTHERS: readonly Combination[] = [
  { example: 'live', file: 'iso', medium: 'cdrom', firmware: 'bios', cpu: 'x86-64' },
  { example: 'live', file: 'usb', medium: 'usb', firmware: 'bios', cpu: 'x86-64' },
  { example: 'minimal', file: 'iso', medium: 'cdrom', firmware: 'uefi', cpu: 'x86-64' },
];

const SYSTEMS = {
  'x86-64': { arch: 'x86_64', dpkg: 'amd64' },
  'x86-32': { arch: 'i686', dpkg: 'i386' },
} as const;

describe('the media of the examples', () => {
  it.each(IS_DEEP ? [...SOME, ...OTHERS] : SOME)(
    '$example: the .$file boots as $medium by $firmware on $cpu',
    async ({ example, file, ...machine }) => {
      const image = await onlyImage(example, file);
      const bus = example === 'minimal' ? 'virtio' : 'usb';
      const outcome = await bootImage({ ...machine, image, bus, timeoutMs: TIME_LIMIT_MS });
      expect(outcome).toMatchObject({
        kind: 'announced',
        ...SYSTEMS[machine.cpu],
        name: expect.stringContaining('Debian') as string,
      });
    },
    TIME_LIMIT_MS + 30_000,
  );
});

async function onlyImage(example: string, extension: string): Promise<string> {
  const media = process.env['DC_TEST_MEDIA'];
  if (media === undefined)
    throw new Error(
      'DC_TEST_MEDIA is not set: run the boot tests through `npm test`, which builds the media first',
    );
  const folder = resolve(media, example);
  const images = (await readdir(folder)).filter((name) => name.endsWith(`.${extension}`));
  const [image] = images;
  if (image === undefined || images.length > 1)
    throw new Error(`expected one .${extension} in "${folder}", found ${images.length}`);
  return join(folder, image);
}
