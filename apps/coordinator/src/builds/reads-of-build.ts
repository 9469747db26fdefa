import { BlobStore } from '#libs/artifacts';
import { FarmError, type BuildReads } from '#libs/contracts';
import { stepReads, type BuildRow } from '#libs/store';
import { Injectable } from '@nestjs/common';
import { join } from 'node:path';
import { CoordinatorConfig } from '../config.js';
import { Store } from '../store.js';
import { planEarlier } from './earlier-plan.js';

/** What the scripts of a build have asked of the manifest when they last ran, in whichever build. */
@Injectable()
export class ReadsOfBuild {
  constructor(
    private readonly store: Store,
    private readonly blobs: BlobStore,
    private readonly config: CoordinatorConfig,
  ) {}

  /** Throws NOT_FOUND when the build's files are gone. */
  async reads(build: BuildRow): Promise<BuildReads> {
    const { db } = this.store;
    const planned = await planEarlier(db, this.blobs, build, join(this.config.dataFolder, 'scratch'));
    if (planned === null) throw new FarmError('NOT_FOUND', `what was submitted as ${build.id} is gone`);
    const all = planned.variants.flatMap(({ plan }) => plan.steps);
    const steps = [...new Map(all.map((step) => [step.name, step] as const)).values()];
    return {
      build: build.id,
      steps: await Promise.all(
        steps.map(async ({ name, scriptDigest, reads }) => {
          const asked = await stepReads(db, name, scriptDigest);
          return {
            step: name,
            declared: reads === null ? null : [...reads],
            asked: asked === null ? null : [...asked.nodepaths],
            askedIn: asked?.build ?? null,
          };
        }),
      ),
    };
  }
}
