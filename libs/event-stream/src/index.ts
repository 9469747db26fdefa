export { retryDelays } from './retry-delays.js';
export type { RetryDelays } from './retry-delays.js';
export { ServerEventParser } from './server-events.js';
export type { ServerEvent } from './server-events.js';
