import { bootImage, type BootOptions, type BootOutcome } from '#libs/boot';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';

const USAGE = `
Usage:
    boot-image [--firmware bios|uefi] [--cpu x86-64|x86-32] [--bus usb|virtio] [--console] <image>

Boots an ISO or USB image in qemu (software emulation) and waits until the system in it says that it is up.
An .iso is a CD, anything else a stick. --console shows the serial console. Exit status: 0 up, 1 not, 2 usage.
`;

const TIMEOUT_MS = 180_000;

/** `boot-image`: is this image bootable? Resolves to the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === null) {
    process.stderr.write(USAGE);
    return 2;
  }
  const what = `${basename(options.image)} as ${options.medium} by ${options.firmware} on ${options.cpu}`;
  process.stderr.write(`booting ${what} …\n`);
  const outcome = await bootImage(options);
  process.stdout.write(`${what}: ${describe(outcome)}\n`);
  if (outcome.kind === 'announced') return 0;
  for (const line of outcome.lastLines) process.stderr.write(`    ${line}\n`);
  return 1;
}

function readOptions(args: readonly string[]): BootOptions | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        firmware: { type: 'string', default: 'bios' },
        cpu: { type: 'string', default: 'x86-64' },
        bus: { type: 'string', default: 'usb' },
        console: { type: 'boolean', default: false },
      },
    });
    const [image, ...more] = positionals;
    const firmware = oneOf(['bios', 'uefi'] as const, values.firmware);
    const cpu = oneOf(['x86-64', 'x86-32'] as const, values.cpu);
    const bus = oneOf(['usb', 'virtio'] as const, values.bus);
    if (image === undefined || more.length > 0 || firmware === null || cpu === null || bus === null)
      return null;
    const onLine = (line: string): void => void process.stderr.write(`    ${line}\n`);
    const medium = image.endsWith('.iso') ? 'cdrom' : 'usb';
    return {
      image,
      medium,
      firmware,
      cpu,
      bus,
      timeoutMs: TIMEOUT_MS,
      ...(values.console ? { onLine } : {}),
    };
  } catch {
    return null;
  }
}

function oneOf<T extends string>(allowed: readonly T[], value: string): T | null {
  return allowed.find((each) => each === value) ?? null;
}

function describe(outcome: BootOutcome): string {
  switch (outcome.kind) {
    case 'announced':
      return `up after ${outcome.seconds.toFixed(1)} s: ${outcome.name}, ${outcome.arch}, packages of ${outcome.dpkg}`;
    case 'panic':
      return `the kernel panicked: ${outcome.reason}`;
    case 'rescue':
      return `the boot archive gave up: ${outcome.reason}`;
    case 'timeout':
      return `not up after ${TIMEOUT_MS / 1000} s; its last lines:`;
    case 'cancelled':
      return 'cancelled';
    case 'ended':
      return `the emulator ended: ${outcome.message}`;
  }
}
