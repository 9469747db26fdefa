import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { aborted } from './aborted.js';
import { QemuMonitor } from './qemu-monitor.js';

/** A halted guest draws nothing any more, and the emulator is quick: more means that it hangs. */
const PICTURE_MS = 10_000;

/** A guest that resets or powers off is stopped instead, so that its screen is still there. */
export function screenArguments(folder: string): readonly string[] {
  // Paths of our own temporary folder: there is no comma in them.
  return ['-qmp', `unix:${monitorIn(folder)},server=on,wait=off`, '-action', 'shutdown=pause'];
}

/** Resolves to the monitor once the emulator listens; `null`: it ended before. `onShutDown` is told of a reset and of the power going off. */
export async function watchScreen(
  folder: string,
  onShutDown: () => void,
  signal: AbortSignal,
): Promise<QemuMonitor | null> {
  const onEvent = (name: string): void => {
    if (name === 'SHUTDOWN') onShutDown();
  };
  return await QemuMonitor.open(monitorIn(folder), onEvent, signal).catch(() => null);
}

/** What cannot be had of it is no fault of the image: then there is no picture. */
export async function keepPicture(monitor: QemuMonitor | null, folder: string, path: string): Promise<void> {
  if (monitor === null) return;
  const drawn = join(folder, 'screen.png');
  try {
    const dump = monitor.execute('screendump', { filename: drawn, format: 'png' });
    const late = aborted(AbortSignal.timeout(PICTURE_MS)).then(() => 'late' as const);
    if ((await Promise.race([dump, late])) !== 'late') await copyFile(drawn, path);
  } catch {
    // It ended meanwhile.
  } finally {
    monitor.close();
  }
}

function monitorIn(folder: string): string {
  return join(folder, 'monitor');
}
