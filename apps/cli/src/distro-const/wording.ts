import type { BuildResult } from '#libs/engine';
import type {
  ChainBreak,
  Checkpoint,
  Job,
  ManifestChange,
  Plan,
  PlannedStep,
  StartRefusal,
} from '#libs/plan';
import { describeOutcome } from '#libs/watch';

/** What went wrong, and what to do next; the sentences of the command line. */
export function describeRefusal(refusal: StartRefusal, manifest: string): string {
  switch (refusal.kind) {
    case 'nothing-resumable':
      return sentences(
        'There is no step to resume from.',
        describeBreak(refusal.brokenBy),
        `Build from the start: distro_const build ${manifest}`,
      );
    case 'not-resumable':
      return sentences(
        `The build cannot resume at "${refusal.step.name}"; specify an earlier step.`,
        describeBreak(refusal.brokenBy),
        `Steps to resume from are:\n${stepLines(refusal.resumable)}`,
      );
    case 'pause-not-later':
      return `The resume step ("${refusal.resume.name}") must be earlier than the pause step ("${refusal.pause.name}").`;
    case 'manifest-changed':
      return sentences(
        describeChange(refusal.change, manifest) ?? '',
        'Resume at the first change with --if-changed restart, or accept it with --if-changed warn.',
      );
  }
}

export function describeUnknownStep(option: string, step: string, plan: Plan): string {
  const names = plan.steps.map(({ index, name }) => `  ${index}  ${name}`).join('\n');
  return `${option}: the manifest has no step "${step}". Its steps are:\n${names}`;
}

/** Why the chain of checkpoints ends; nothing to say where the build simply never got further. */
export function describeBreak(broken: ChainBreak | null): string {
  if (broken === null) return '';
  const { boundary, reason } = broken;
  const where =
    boundary.before === null
      ? `behind "${boundary.after?.name ?? ''}"`
      : `in front of "${boundary.before.name}"`;
  switch (reason.kind) {
    case 'absent':
      return '';
    case 'unreadable':
      return `The checkpoint ${where} has no readable facts (removed, damaged, or of another version), so it is not used.`;
    case 'other-order':
      return (
        `The manifest file is inconsistent with the build area: the checkpoint ${where} was taken behind ` +
        `"${reason.foundAfter}", and the manifest has "${reason.expectedAfter}" there now.`
      );
    case 'other-run':
      return `The checkpoint ${where} is left over from an older build, so it is not used.`;
  }
}

/** `null` when nothing that matters changed. */
export function describeChange(change: ManifestChange, manifest: string): string | null {
  const steps = change.steps.map(({ name, what }) => `${name} (${what.join(', ')})`);
  if (steps.length === 0 && change.contentSince.length === 0) return null;
  return sentences(
    `The checkpoint was made by something else than what ${manifest} says now; results may be indeterminate.`,
    steps.length === 0 ? '' : `Changed since they ran: ${steps.join('; ')}.`,
    change.contentSince.length === 0
      ? ''
      : `What scripts read from the manifest changed since these ran: ${change.contentSince.join(' ')}.`,
  );
}

/** Of a job whose end is at hand. */
export function describePassedOver({ lane, steps }: Job, { label }: Checkpoint): string {
  const names = steps.map(({ name }) => name).join(' ');
  return `Nothing to run in lane ${lane} (${names}): as in checkpoint ${label}`;
}

/**
 * The last lines of a build, for people.
 *
 * @param option of the command that goes on with it: `-R`, or `--reuse`
 */
export function describeResult(result: BuildResult, manifest: string, option: '-R' | '--reuse'): string {
  const again = `distro_const build ${option} ${manifest}`;
  switch (result.kind) {
    case 'finished':
      return 'Build is successful.';
    case 'paused':
      return `Stopped before ${result.before.name}. Go on with: ${again}`;
    case 'interrupted':
      return `Build interrupted by ${result.reason} in ${result.at.name}. Go on with: ${again}`;
    case 'failed': {
      const failures = result.failures.map(
        ({ step, outcome }) => `${step.name} ${describeOutcome(outcome)}.`,
      );
      return [...failures, `Build failed. When it is mended, go on with: ${again}`].join('\n');
    }
    case 'stopped': {
      const hint = 'hint' in result.error && result.error.hint !== null ? `\n${result.error.hint}` : '';
      return `At ${result.at.name}: ${result.error.message}.${hint}\nBuild failed; no step was run on doubtful data. When it is mended, go on with: ${again}`;
    }
  }
}

function stepLines(steps: readonly PlannedStep[]): string {
  return steps.map(({ name, message }) => `  ${name.padEnd(20)}${message}`).join('\n');
}

function sentences(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('\n');
}
