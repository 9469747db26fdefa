import type { BlobStore } from '#libs/artifacts';
import { SubmitBuild } from '#libs/contracts';
import { ingredientChanges, stepIngredients, type KeyWorld, type StepIngredients } from '#libs/plan';
import { manifestText, variantsOf, type BuildRow, type Schema } from '#libs/store';
import type { Kysely } from 'kysely';
import { buffer } from 'node:stream/consumers';
import { planSubmission, type PlannedSubmission, type PlannedVariant } from './plan-submission.js';

/** The submission of a build that is on record, planned as if it came now. `null`: something of it is gone, or this version does not take it. */
export async function planEarlier(
  db: Kysely<Schema>,
  blobs: BlobStore,
  build: BuildRow,
  scratch: string,
): Promise<PlannedSubmission | null> {
  const manifest = await manifestText(db, build.manifest_sha256);
  if (manifest === null) return null;
  try {
    const files = await Promise.all(
      build.files.map(async ({ path, executable, sha256 }) => ({
        path,
        executable,
        base64: (await buffer(await blobs.open(sha256))).toString('base64'),
      })),
    );
    const submission = SubmitBuild.parse({
      manifest,
      manifestPath: build.manifest_path,
      files,
      variants: (await variantsOf(db, build.id)).map(({ name }) => name),
      sourceDateEpoch: build.source_date_epoch,
    });
    return await planSubmission(submission, scratch, new Date(build.created_at));
  } catch {
    return null;
  }
}

/**
 * Why a step does not equal the one of its name in an earlier plan, in words; empty where it does. Compared with the variant of the same name, or the first.
 */
export function whyOtherwise(
  step: string,
  now: { readonly variant: PlannedVariant; readonly world: KeyWorld },
  earlier: {
    readonly variants: readonly PlannedVariant[];
    readonly worldOf: (variant: PlannedVariant) => KeyWorld;
    readonly build: string;
  },
): string {
  const like = earlier.variants.find(({ name }) => name === now.variant.name) ?? earlier.variants[0];
  if (like === undefined || like.plan.steps.every(({ name }) => name !== step))
    return `${earlier.build} had no such step`;
  const own = ingredientsOf(step, now.variant, now.world);
  const before = ingredientsOf(step, like, earlier.worldOf(like));
  if (before === null || own === null) return `nobody knows the fingerprint that it had in ${earlier.build}`;
  const changes = ingredientChanges(before, own);
  return changes.length === 0 ? '' : `since ${earlier.build}, ${changes.join('; ')}`;
}

function ingredientsOf(
  name: string,
  { manifest, plan }: PlannedVariant,
  world: KeyWorld,
): StepIngredients | null {
  const step = plan.steps.find((each) => each.name === name);
  return step === undefined ? null : stepIngredients(step, manifest, world);
}
