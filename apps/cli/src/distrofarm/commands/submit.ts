import type { BuildDetail, PlanPreview, Priority, SubmittedBuild } from '#libs/contracts';
import { type Command, Option } from 'commander';
import { example } from '../example.js';
import { duration, matrixOption, replicas, reuseOptions, several } from '../options.js';
import { readSubmission, type Submission } from '../read-submission.js';
import type { Session } from '../session.js';
import { submissionBody, type SubmissionOptions } from '../submission-body.js';
import { LONGEST_PLAN_MS, planLines } from './plan.js';

interface SubmitOptions extends SubmissionOptions {
  readonly list?: boolean;
  readonly resumeAt?: string;
  readonly resumeLatest?: boolean;
  readonly priority?: Priority;
  readonly file?: readonly string[];
  readonly dryRun?: boolean;
  readonly watch?: boolean;
  readonly follow?: boolean;
  readonly timeout?: number;
  readonly exitStatus: boolean;
}

export function submit(command: Command, session: Session): void {
  const [reuse, noReuse] = reuseOptions();
  example(
    command
      .argument('<manifest>', 'the manifest file; its scripts, and the files they include, are sent along')
      .option('-V, --variant <name>', 'build only this variant; may be repeated', several)
      .addOption(matrixOption())
      .addOption(
        new Option('-l, --list', 'list the steps, and mark those a build can resume at').conflicts([
          'pause',
          'resumeAt',
          'resumeLatest',
        ]),
      )
      .option('-p, --pause <step>', 'pause just before this step, by name or number')
      .addOption(
        new Option(
          '-r, --resume-at <step>',
          'do not submit: resume your newest build of this manifest at this step',
        ).conflicts('resumeLatest'),
      )
      .option(
        '-R, --resume-latest',
        'do not submit: resume your newest build of this manifest where it stopped',
      )
      .addOption(
        new Option('--priority <priority>', 'before or behind other builds').choices([
          'low',
          'normal',
          'high',
        ]),
      )
      .option('--on <agent>', 'only on this agent')
      .option('--replicas <n>', 'copy each checkpoint to so many other agents, 0 to 3', replicas)
      .option(
        '--wait-for-replicas',
        'start no step before the copies of the checkpoint in front of it are there',
      )
      .option('--wait-for-agents', 'submit it even when no agent of today could run it')
      .addOption(reuse)
      .addOption(noReuse)
      .option('--note <text>', 'a note to know it by')
      .option('--idempotency-key <key>', 'submitted again with the same key, it is the same build')
      .option('--file <path>', 'send this file or folder too; may be repeated', several)
      .option('--dry-run', 'only show what it would become')
      .option('-w, --watch', 'watch it until it comes to rest')
      .option('-f, --follow', 'watch it in lines, with what the steps write to standard error')
      .option('--timeout <duration>', 'stop watching after that long', duration)
      .option('--no-exit-status', 'with --watch: exit with 0 however the build ends'),
    'distrofarm submit examples/debian-live.xml --watch',
    'distrofarm submit --matrix locale=en,de --matrix edition manifest.xml',
    'distrofarm submit -R examples/debian-live.xml',
  ).action(async (manifest: string, options: SubmitOptions) => {
    const { cwd, env, now } = session.io;
    const submission = await readSubmission({ manifest, extras: options.file ?? [], cwd, env, now: now() });
    if (options.list === true) {
      const { listSteps } = await import('../list-steps.js');
      return await listSteps(session, submission);
    }
    if (options.dryRun === true) return await preview(session, submission, options);
    const build = await startedBuild(session, manifest, submission, options);
    if (options.watch !== true && options.follow !== true) return;
    const { watchBuild } = await import('../watch-build.js');
    const { follow, timeout, exitStatus } = options;
    await watchBuild(session, build, { follow: follow === true, timeoutMs: timeout ?? null, exitStatus });
  });
}

async function preview(session: Session, submission: Submission, options: SubmitOptions): Promise<void> {
  const farm = await session.farm();
  const body = submissionBody(submission, options);
  const answer = await farm.post<PlanPreview>('/builds/plan', body, { timeoutMs: LONGEST_PLAN_MS });
  await session.show(answer, (shown) => planLines(session, shown));
}

async function startedBuild(
  session: Session,
  manifest: string,
  submission: Submission,
  options: SubmitOptions,
): Promise<BuildDetail> {
  if (options.resumeAt === undefined && options.resumeLatest !== true) {
    return await submitted(session, submission, options);
  }
  const { resumeNewest } = await import('../resume-newest.js');
  const build = await resumeNewest(session, manifest, submission, options);
  await told(session, build, build, `${build.id} goes on.`, options);
  return build;
}

async function submitted(
  session: Session,
  submission: Submission,
  options: SubmitOptions,
): Promise<BuildDetail> {
  const farm = await session.farm();
  const answer = await farm.post<SubmittedBuild>('/builds', submissionBody(submission, options));
  const { build, created, notes } = answer;
  const { cleaned } = await import('../cleaned.js');
  if (!session.json) {
    await session.note(...cleaned(notes).map((note) => `note: ${note}`));
    if (!created)
      await session.note(`That was submitted before with the same key: ${build.id}, ${build.state}.`);
  }
  await told(session, answer, build, `${build.id} submitted.`, options);
  return build;
}

/** A script gets the id and nothing else. */
async function told(
  session: Session,
  answer: SubmittedBuild | BuildDetail,
  build: BuildDetail,
  sentence: string,
  { watch, follow }: SubmitOptions,
): Promise<void> {
  if (session.json) await session.printJson(answer);
  else if (session.io.stdout.isTTY !== true) await session.print(build.id);
  else if (watch === true || follow === true) await session.print(sentence);
  else await session.print(sentence, `Watch it with: distrofarm watch ${build.id}`);
}
