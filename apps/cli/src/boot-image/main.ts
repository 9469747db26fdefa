import { bootImage, type BootOptions, type BootOutcome } from '#libs/boot';
import { createWriteStream, type WriteStream } from 'node:fs';
import { basename } from 'node:path';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';

const USAGE = `
Usage:
    boot-image [--firmware bios|uefi] [--cpu x86-64|x86-32] [--bus usb|virtio] [--console]
               [--picture file.png] [--log file] [--timeout seconds] <image>

Boots an ISO or USB image in qemu (software emulation) and waits until the system in it says that it is up.
An .iso is a CD, anything else a stick. --console shows the serial console, --log keeps it; --picture keeps the
screen as it was at the end, whatever that was. Exit status: 0 up, 1 not, 2 usage.
`;

const TIMEOUT_SECONDS = 180;
const MOST_SECONDS = 3600;
/** A guest that says the same for ever fills no disk. */
const MOST_LOG_CHARACTERS = 4 * 1024 * 1024;

interface Wanted {
  readonly options: BootOptions;
  readonly log: string | null;
  readonly showsConsole: boolean;
}

/** `boot-image`: is this image bootable? Resolves to the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  const wanted = readArguments(args);
  if (wanted === null) {
    process.stderr.write(USAGE);
    return 2;
  }
  const { options } = wanted;
  const what = `${basename(options.image)} as ${options.medium} by ${options.firmware} on ${options.cpu}`;
  process.stderr.write(`booting ${what} …\n`);
  const outcome = await bootAndLog(wanted);
  process.stdout.write(`${what}: ${describe(outcome, options)}\n`);
  if (outcome.kind === 'announced') return 0;
  for (const line of outcome.lastLines) process.stderr.write(`    ${line}\n`);
  return 1;
}

async function bootAndLog({ options, log, showsConsole }: Wanted): Promise<BootOutcome> {
  const file = log === null ? null : createWriteStream(log);
  const keep = file === null ? null : keepLines(file);
  const onLine = (line: string): void => {
    if (showsConsole) process.stderr.write(`    ${line}\n`);
    keep?.(line);
  };
  const outcome = await bootImage({ ...options, onLine });
  if (file !== null) await finished(file.end());
  return outcome;
}

function keepLines(file: WriteStream): (line: string) => void {
  let left = MOST_LOG_CHARACTERS;
  return (line) => {
    if (left > 0) file.write(`${line}\n`);
    left -= line.length + 1;
  };
}

function readArguments(args: readonly string[]): Wanted | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        firmware: { type: 'string', default: 'bios' },
        cpu: { type: 'string', default: 'x86-64' },
        bus: { type: 'string', default: 'usb' },
        console: { type: 'boolean', default: false },
        picture: { type: 'string' },
        log: { type: 'string' },
        timeout: { type: 'string', default: String(TIMEOUT_SECONDS) },
      },
    });
    const [image, ...more] = positionals;
    const firmware = oneOf(['bios', 'uefi'] as const, values.firmware);
    const cpu = oneOf(['x86-64', 'x86-32'] as const, values.cpu);
    const bus = oneOf(['usb', 'virtio'] as const, values.bus);
    const seconds = secondsOf(values.timeout);
    if (image === undefined || more.length > 0) return null;
    if (firmware === null || cpu === null || bus === null || seconds === null) return null;
    const medium = image.endsWith('.iso') ? 'cdrom' : 'usb';
    const { picture } = values;
    const machine = { image, medium, firmware, cpu, bus, timeoutMs: seconds * 1000 } as const;
    return {
      options: picture === undefined ? machine : { ...machine, picture },
      log: values.log ?? null,
      showsConsole: values.console,
    };
  } catch {
    return null;
  }
}

function oneOf<T extends string>(allowed: readonly T[], value: string): T | null {
  return allowed.find((each) => each === value) ?? null;
}

function secondsOf(text: string): number | null {
  const seconds = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : NaN;
  return seconds <= MOST_SECONDS ? seconds : null;
}

function describe(outcome: BootOutcome, { timeoutMs }: BootOptions): string {
  switch (outcome.kind) {
    case 'announced':
      return `up after ${outcome.seconds.toFixed(1)} s: ${outcome.name}, ${outcome.arch}, packages of ${outcome.dpkg}`;
    case 'panic':
      return `the kernel panicked: ${outcome.reason}`;
    case 'rescue':
      return `the boot archive gave up: ${outcome.reason}`;
    case 'timeout':
      return `not up after ${timeoutMs / 1000} s; its last lines:`;
    case 'cancelled':
      return 'cancelled';
    case 'ended':
      return `the emulator ended: ${outcome.message}`;
  }
}
