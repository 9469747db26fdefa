// Needs qemu-system-x86, ovmf, and the media that the test command builds: $DC_TEST_MEDIA/{live,minimal}/*.{iso,usb}.
import { bootImage, type BootOptions } from '#libs/boot';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
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
  let pictures: string;
  beforeAll(async () => {
    pictures = await mkdtemp(join(tmpdir(), 'boot-pictures-'));
  });
  afterAll(() => rm(pictures, { recursive: true }));

  it.each(IS_DEEP ? [...SOME, ...OTHERS] : SOME)(
    '$example: the .$file boots as $medium by $firmware on $cpu',
    async ({ example, file, ...machine }) => {
      const image = await onlyImage(example, file);
      const bus = example === 'minimal' ? 'virtio' : 'usb';
      const picture = join(pictures, [example, file, ...Object.values(machine), 'png'].join('.'));
      const outcome = await bootImage({ ...machine, image, bus, picture, timeoutMs: TIME_LIMIT_MS });
      expect(outcome).toMatchObject({
        kind: 'announced',
        ...SYSTEMS[machine.cpu],
        name: expect.stringContaining('Debian') as string,
      });
      const { signature, width } = await headOf(picture);
      expect(signature).toBe('89504e470d0a1a0a');
      expect(width).toBeGreaterThanOrEqual(640);
    },
    TIME_LIMIT_MS + 30_000,
  );
});

describe('a medium that does not boot', () => {
  /** Boot sectors: X on the screen, and then the machine is reset, or halts. */
  const WRITE_X = [0xb4, 0x0e, 0xb0, 0x58, 0xcd, 0x10];
  const RESET = [0xea, 0xf0, 0xff, 0x00, 0xf0];
  const HALT = [0xfa, 0xf4, 0xeb, 0xfd];

  it.each([
    ['resets', RESET, 60_000, 'ended'],
    ['halts', HALT, 2_000, 'timeout'],
  ] as const)('leaves its picture all the same when it %s', async (_, code, timeoutMs, kind) => {
    const folder = await mkdtemp(join(tmpdir(), 'no-boot,-'));
    try {
      const [image, picture] = [join(folder, 'no.usb'), join(folder, 'no.png')];
      const stick = Buffer.alloc(1024 * 1024);
      stick.set([...WRITE_X, ...code]);
      stick.set([0x55, 0xaa], 510);
      await writeFile(image, stick);
      const machine = { medium: 'usb', firmware: 'bios', cpu: 'x86-64', bus: 'virtio' } as const;
      expect(await bootImage({ ...machine, image, picture, timeoutMs })).toMatchObject({ kind });
      expect((await headOf(picture)).signature).toBe('89504e470d0a1a0a');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

/** Of a PNG. */
async function headOf(path: string): Promise<{ readonly signature: string; readonly width: number }> {
  const file = await readFile(path);
  return { signature: file.toString('hex', 0, 8), width: file.readUInt32BE(16) };
}

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
