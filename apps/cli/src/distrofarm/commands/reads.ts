import type { BuildReads } from '#libs/contracts';
import { collapseReads, readsCover, readsLine } from '#libs/manifest';
import { readScript, scriptPath } from '#libs/steps';
import type { Command } from 'commander';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { CliError } from '../cli-error.js';
import { example } from '../example.js';
import { EXIT } from '../exit-codes.js';
import { pathOf } from '../farm.js';
import { readSubmission } from '../read-submission.js';
import { newestBuildOf } from '../resume-newest.js';
import type { Session } from '../session.js';

export function reads(command: Command, session: Session): void {
  example(
    command
      .argument('<manifest>', 'a manifest file, for your newest build of it; or a build')
      .option('--step <name>', 'only this step'),
    'distrofarm reads examples/debian-live.xml',
  ).action(async (named: string, { step }: { readonly step?: string }) => {
    const isFile = existsSync(resolve(session.io.cwd, named));
    const shown = isFile ? await readsOfManifest(session, named) : await readsOfBuild(session, named);
    const steps = shown.steps.filter((each) => step === undefined || each.step === step);
    if (steps.length === 0)
      throw new CliError(
        EXIT.usage,
        `${shown.build} has no step "${step ?? ''}"`,
        `Its steps are: ${shown.steps.map((each) => each.step).join(' ')}`,
      );
    await session.show({ ...shown, steps }, (known) => readsLines(session, known));
  });
}

async function readsOfBuild(session: Session, build: string): Promise<BuildReads> {
  return await (await session.farm()).get<BuildReads>(pathOf`/builds/${build}/reads`);
}

/** Of the newest build, with what the manifest and its scripts declare by now. */
async function readsOfManifest(session: Session, manifest: string): Promise<BuildReads> {
  const { cwd, env, now } = session.io;
  const submission = await readSubmission({ manifest, extras: [], cwd, env, now: now() });
  const build = await newestBuildOf(await session.farm(), submission);
  if (build === null)
    throw new CliError(
      EXIT.notFound,
      `you have no build of ${submission.manifest.name} from ${submission.manifestPath}`,
      `Submit it: distrofarm submit ${manifest}`,
    );
  const found = await readsOfBuild(session, build.id);
  const file = resolve(cwd, manifest);
  const declared = new Map<string, string[] | null>();
  for (const step of submission.manifest.steps) {
    const script = await readScript(scriptPath(file, step.script));
    const own = step.reads ?? (script.ok ? script.script.reads : null);
    declared.set(step.name, own === null ? null : [...own]);
  }
  const steps = found.steps.map((each) => ({ ...each, declared: declared.get(each.step) ?? null }));
  return { ...found, steps };
}

/** The line to paste, and how it differs from what is declared. */
export function readsLines({ colours }: Pick<Session, 'colours'>, { steps }: BuildReads): readonly string[] {
  return steps.flatMap(({ step, declared, asked, askedIn }) => {
    const now = declared === null ? 'nothing declared' : `declared: ${declared.join(' ') || 'no reads'}`;
    if (asked === null)
      return [`${colours.bold(step)} ${colours.dim('no run of this script is remembered')}`, `  ${now}`];
    const wanted = collapseReads(asked);
    return [
      `${colours.bold(step)} ${colours.dim(`as it ran in ${askedIn ?? ''}`)}`,
      `  ${readsLine(wanted)}`,
      `  ${now}${declared === null ? '' : differenceOf(declared, wanted)}`,
    ];
  });
}

function differenceOf(declared: readonly string[], wanted: readonly string[]): string {
  const missing = wanted.filter((nodepath) => !readsCover(declared, nodepath));
  const unused = declared.filter((nodepath) => !wanted.some((each) => readsCover([nodepath], each)));
  const parts = [
    ...(missing.length === 0 ? [] : [`without ${missing.join(' ')}`]),
    ...(unused.length === 0 ? [] : [`not asked for: ${unused.join(' ')}`]),
  ];
  return parts.length === 0 ? '' : `; ${parts.join('; ')}`;
}
