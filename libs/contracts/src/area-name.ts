import { z } from 'zod';

/** Where a job of a variant has its workspaces on an agent: `<build id>.<variant>`. */
export const AreaName = z.string().regex(/^b-[0-9a-z]{10}\.[A-Za-z0-9][A-Za-z0-9_.:+-]{0,63}$/);
export type AreaName = z.infer<typeof AreaName>;
