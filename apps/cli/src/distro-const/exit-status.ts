import { constants } from 'node:os';

/** 0, 1, 2 as distro_const had them; 128 + n when signal n ended the build. */
export type ExitStatus = number;

/** Why a build was told to stop. */
export class Interruption extends Error {
  override readonly name = 'Interruption';
  constructor(readonly signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') {
    super(signal);
  }
}

export const EXIT = {
  /** Built, paused where asked, or listed. */
  ok: 0,
  /** Not root, unreadable or invalid manifest, not resumable, a failed step, a build area in use. */
  failed: 1,
  /** The command line itself. */
  usage: 2,
  interruptedBy: (reason: unknown): ExitStatus =>
    reason instanceof Interruption ? 128 + constants.signals[reason.signal] : 1,
} as const;
