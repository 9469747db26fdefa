import { z } from 'zod';
import { BuildState, ListBuilds } from '#libs/contracts';
import { numberInUrl } from './number-in-url.js';

/** ListBuilds as it stands in a URL: `state` may be repeated or hold several with commas, numbers are text. */
export const listBuildsQuery = z
  .strictObject({
    state: z
      .union([z.string(), z.array(z.string())])
      .transform((given) => [given].flat().flatMap((text) => text.split(',')))
      .pipe(z.array(BuildState))
      .optional(),
    user: z.string().optional(),
    name: z.string().optional(),
    since: numberInUrl.optional(),
    limit: numberInUrl.optional(),
    cursor: z.string().optional(),
  })
  .pipe(ListBuilds);
