import { execa } from 'execa';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aborted } from './aborted.js';
import { ConsoleReader, type ConsoleEvent } from './console-reader.js';
import { keepPicture, screenArguments, watchScreen } from './screen-picture.js';

export interface BootOptions {
  readonly image: string;
  readonly medium: 'cdrom' | 'usb';
  readonly firmware: 'bios' | 'uefi';
  readonly cpu: 'x86-64' | 'x86-32';
  /** From the start of the emulator to the announcement. Unhurried machines take 10 to 50 s. */
  readonly timeoutMs: number;
  /** How a stick is attached. Debian's cloud kernel has no USB: its sticks are virtio disks. Default `usb`. */
  readonly bus?: 'usb' | 'virtio';
  /** Where the screen is kept as it was at the end, as PNG. There is no such file afterwards where the emulator ended before. */
  readonly picture?: string;
  /** Each line of the serial console, without escape sequences. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** How a boot ended. Only `announced` means that the system in the image is up. */
export type BootOutcome =
  | {
      readonly kind: 'announced';
      /** `uname -m`, such as `x86_64` or `i686`. */
      readonly arch: string;
      /** `dpkg --print-architecture`. */
      readonly dpkg: string;
      /** Distribution name. */
      readonly name: string;
      readonly seconds: number;
    }
  | { readonly kind: 'panic' | 'rescue'; readonly reason: string; readonly lastLines: readonly string[] }
  | { readonly kind: 'timeout' | 'cancelled'; readonly lastLines: readonly string[] }
  /** The emulator ended by itself: refused its arguments, or the guest reset or powered off. */
  | { readonly kind: 'ended'; readonly message: string; readonly lastLines: readonly string[] };

const OVMF_CODE = '/usr/share/OVMF/OVMF_CODE_4M.fd';
const OVMF_VARS = '/usr/share/OVMF/OVMF_VARS_4M.fd';
const MEMORY_MIB = 1024;
/** How long the emulator may take to end when asked to, before it is killed. */
const END_DELAY_MS = 5000;
/** The key of the 32-bit entry in the boot menu; see finalizers/debian/grub-setup. */
const KEY_32_BIT = '3';

/**
 * What a kernel says when software emulation on a busy host delivered its timer interrupts too late: a property of the
 * host, not of the image.
 */
const EMULATION_TOO_SLOW = "IO-APIC + timer doesn't work";

/**
 * Boots an image in an emulated PC, without KVM, until the live system announces itself on the serial console. The image
 * is not written to, and the emulator has ended when this returns. Needs qemu-system-x86 and, for UEFI, ovmf.
 *
 * A boot that panicked only because the emulation was too slow is tried once more within the same time limit.
 */
export async function bootImage(options: BootOptions): Promise<BootOutcome> {
  const startedAt = performance.now();
  const first = await bootOnce(options, startedAt);
  const isHostsFault = first.kind === 'panic' && first.reason.includes(EMULATION_TOO_SLOW);
  return isHostsFault ? bootOnce(options, startedAt) : first;
}

async function bootOnce(options: BootOptions, startedAt: number): Promise<BootOutcome> {
  const folder = await mkdtemp(join(tmpdir(), 'distrofarm-boot-'));
  try {
    // The firmware writes its variables.
    if (options.firmware === 'uefi') await copyFile(OVMF_VARS, variablesIn(folder));
    return await watchEmulator(options, folder, startedAt);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function watchEmulator(options: BootOptions, folder: string, startedAt: number): Promise<BootOutcome> {
  const ending = new AbortController();
  const timeLimit = AbortSignal.timeout(
    Math.max(0, Math.round(options.timeoutMs - (performance.now() - startedAt))),
  );
  const emulator = execa('qemu-system-x86_64', emulatorArguments(options, folder), {
    stdin: 'pipe',
    buffer: { stdout: false },
    reject: false,
    cancelSignal: ending.signal,
    forceKillAfterDelay: END_DELAY_MS,
  });
  // The emulator may end while a key is on its way to it.
  emulator.stdin.on('error', () => undefined);

  let outcome = null as BootOutcome | null;
  const decided = new AbortController();
  const react = (event: ConsoleEvent): void => {
    if (event.kind === 'menu') {
      if (options.cpu === 'x86-32') emulator.stdin.write(KEY_32_BIT);
      return;
    }
    outcome ??= outcomeOf(event, reader, startedAt);
    decided.abort();
  };
  const reader = new ConsoleReader(react, options.onLine);
  emulator.stdout.setEncoding('latin1').on('data', (piece: string) => reader.read(piece));
  const gone = new AbortController();
  void emulator.finally(() => gone.abort());
  const screen =
    options.picture === undefined ? null : watchScreen(folder, () => decided.abort(), gone.signal);

  const signals = [decided.signal, timeLimit, gone.signal, options.signal].filter(
    (each) => each !== undefined,
  );
  await aborted(AbortSignal.any(signals));
  if (screen !== null) await keepPicture(await screen, folder, options.picture ?? '');
  ending.abort();
  const end = await emulator;
  if (outcome !== null) return outcome;
  const { lastLines } = reader;
  if (options.signal?.aborted === true) return { kind: 'cancelled', lastLines };
  if (timeLimit.aborted) return { kind: 'timeout', lastLines };
  // With a picture it was we who ended it.
  const reason = decided.signal.aborted ? '' : end.stderr || end.shortMessage || '';
  return {
    kind: 'ended',
    message: reason === '' ? 'the machine was reset or powered off' : reason,
    lastLines,
  };
}

function outcomeOf(
  event: Exclude<ConsoleEvent, { kind: 'menu' }>,
  reader: ConsoleReader,
  startedAt: number,
): BootOutcome {
  switch (event.kind) {
    case 'announced':
      return { ...event, seconds: (performance.now() - startedAt) / 1000 };
    case 'panic':
    case 'rescue':
      return { ...event, lastLines: reader.lastLines };
  }
}

function emulatorArguments(options: BootOptions, folder: string): readonly string[] {
  return [
    // i440fx: its IDE drive is the one optical drive that also Debian's cloud kernel has a driver for.
    ...['-machine', 'pc', '-accel', 'tcg,thread=multi', '-smp', '2', '-m', `${MEMORY_MIB}`],
    ...(options.cpu === 'x86-32' ? ['-cpu', 'qemu32'] : []),
    ...['-nic', 'none', '-display', 'none', '-serial', 'stdio', '-monitor', 'none'],
    // A panic ends in a halt and a reset in the end of the emulator, so that neither goes on for ever.
    ...['-snapshot', '-no-reboot'],
    ...(options.firmware === 'uefi' ? firmwareArguments(variablesIn(folder)) : []),
    ...(options.picture === undefined ? [] : screenArguments(folder)),
    ...mediumArguments(options),
  ];
}

function variablesIn(folder: string): string {
  return join(folder, 'OVMF_VARS.fd');
}

function firmwareArguments(variables: string): readonly string[] {
  return [
    ...['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${OVMF_CODE}`],
    ...['-drive', `if=pflash,unit=1,format=raw,file=${escapeComma(variables)}`],
  ];
}

function mediumArguments({ image, medium, bus = 'usb' }: BootOptions): readonly string[] {
  const file = escapeComma(image);
  if (medium === 'cdrom') return ['-drive', `if=ide,media=cdrom,readonly=on,format=raw,file=${file}`];
  const drive = ['-drive', `if=none,id=stick,format=raw,file=${file}`];
  return bus === 'virtio'
    ? [...drive, '-device', 'virtio-blk-pci,drive=stick,bootindex=0']
    : [...drive, '-device', 'qemu-xhci', '-device', 'usb-storage,drive=stick,bootindex=0'];
}

/** A comma separates qemu's options; doubled it is one of a value. */
function escapeComma(path: string): string {
  return path.replaceAll(',', ',,');
}
