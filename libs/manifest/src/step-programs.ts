import type { ManifestStep } from './manifest.js';

/** A file that a step runs, which is to lie with the manifest. */
export interface StepProgram {
  readonly what: 'script' | 'fingerprint program';
  /** Its path as the manifest has it: relative to the manifest, or absolute. */
  readonly path: string;
}

/** The step's script, and what its fingerprint command runs where that has a slash: else it is a program of the steps' PATH. */
export function stepPrograms({ script, fingerprint }: ManifestStep): readonly StepProgram[] {
  const program = fingerprint === null ? null : fingerprintFile(fingerprint);
  return [
    { what: 'script', path: script },
    ...(program === null ? [] : [{ what: 'fingerprint program', path: program } as const]),
  ];
}

/** As the manifest has it; `null`: the command is a program of the steps' PATH. */
export function fingerprintFile([word = '']: readonly string[]): string | null {
  return word.includes('/') ? word : null;
}
