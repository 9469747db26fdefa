import type { BuildDetail, BuildPage, ResumeBuild, WhoAmI } from '#libs/contracts';
import { CliError } from './cli-error.js';
import { EXIT } from './exit-codes.js';
import { pathOf, queryOf, type Farm } from './farm.js';
import type { Submission } from './read-submission.js';
import type { Session } from './session.js';

/** Looked through from the newest on; who has more of one name since then knows its id. */
const LOOKED_AT = 50;

export interface ResumeNewestOptions {
  /** `-r`; without it, where the build stopped. */
  readonly resumeAt?: string;
  /** `-p` */
  readonly pause?: string;
}

/** `-r` and `-R` of distro_const: goes on with this user's newest build of the manifest. */
export async function resumeNewest(
  session: Session,
  manifest: string,
  submission: Submission,
  { resumeAt, pause }: ResumeNewestOptions,
): Promise<BuildDetail> {
  const farm = await session.farm();
  const build = await newestBuildOf(farm, submission);
  if (build === null) {
    throw new CliError(
      EXIT.notFound,
      `you have no build of ${submission.manifest.name} from ${submission.manifestPath} to resume`,
      `Submit it: distrofarm submit ${manifest}`,
    );
  }
  if (build.state === 'running' || build.state === 'waiting') {
    throw new CliError(
      EXIT.server,
      `your newest build of it, ${build.id}, is ${build.state}`,
      `Watch it: distrofarm watch ${build.id}`,
    );
  }
  if (build.state === 'succeeded' && resumeAt === undefined) {
    throw new CliError(
      EXIT.server,
      `your newest build of it, ${build.id}, has succeeded; it did not stop anywhere`,
      `Name the step to go back to: distrofarm submit -r STEP ${manifest}`,
    );
  }
  const body: ResumeBuild = { from: resumeAt ?? null, pauseBefore: pause ?? null };
  return await farm.post<BuildDetail>(pathOf`/builds/${build.id}/resume`, body);
}

/** Same user, distribution name and manifest path; `null` without any. */
export async function newestBuildOf(
  farm: Farm,
  { manifest, manifestPath }: Submission,
): Promise<BuildDetail | null> {
  const { user } = await farm.get<WhoAmI>('/whoami');
  const query = queryOf({ name: manifest.name, user, limit: LOOKED_AT });
  const { builds } = await farm.get<BuildPage>(`/builds${query}`);
  for (const { id, name } of builds) {
    if (name !== manifest.name) continue;
    const build = await farm.get<BuildDetail>(pathOf`/builds/${id}`);
    if (build.manifestPath === manifestPath) return build;
  }
  return null;
}
