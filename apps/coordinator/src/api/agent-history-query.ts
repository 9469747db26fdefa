import { z } from 'zod';
import { AgentHistoryQuery } from '#libs/contracts';
import { numberInUrl } from './number-in-url.js';

/** AgentHistoryQuery as it stands in a URL. */
export const agentHistoryQuery = z
  .strictObject({ limit: numberInUrl.optional(), cursor: z.string().optional() })
  .pipe(AgentHistoryQuery);
